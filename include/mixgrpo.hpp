// mixgrpo.hpp: mixgrpo.h for C++17. Header-only; link with libmixgrpo.
//
// Every function of mixgrpo.h is here under its own name: a class for each kind of handle, and free functions for the rest.
// mixgrpo.h documents shapes, ranges, defaults and errors; they are not repeated here. The symbols of shapes (B, N, C, D, P,
// G, T, K) are the same.
//
//     mixgrpo::context context;                                               // one thread per core
//     auto model = mixgrpo::model::load(context, "base");
//     auto prompts = mixgrpo::prompts::hashed_words(context, {"a red circle", "a blue square"}, 16, 64, 64);
//     mixgrpo::evaluator evaluator(model, mixgrpo::make_evaluator_config());
//     mixgrpo::plan plan(mixgrpo::make_sampling_config());
//     mixgrpo::trainer trainer(evaluator, prompts, plan, mixgrpo::make_learning_config(), {"my reward"});
//     for (int i = 0; i < 100; i++) {
//       const std::vector<float> samples = trainer.rollout({0, 1});           // (2, G, N, C)
//       trainer.update(my_rewards(samples));                                  // (1, 2, G)
//     }
//     model.save("aligned", MIXGRPO_STORAGE_BF16);
//
// A model that the host owns answers requests:
//
//     mixgrpo::rollout rollout(context, plan, config, {0, 1});
//     while (auto request = rollout.next()) rollout.submit(my_velocity(request));
//     ...
//     mixgrpo::update update(rollout, learning, advantages.values, advantages.included);
//     while (auto request = update.next()) {
//       if (request.is_optimizer_step()) my_optimizer_step();
//       else my_backward(update.submit(my_velocity(request)));                // dL/dvelocity (B, D): accumulate
//     }
//
// Errors.     A status that is not MIXGRPO_STATUS_OK is thrown as mixgrpo::error, or as mixgrpo::cancelled, with the library's
//             message; the objects are as they were before the call. std::bad_alloc and std::length_error come from
//             std::vector, when there is no memory for a result.
// Handles.    Objects own their handle, can be moved and not copied, and may be destroyed in any order: what an object is
//             built from stays alive inside it. A moved-from object may be assigned to and destroyed; other calls on it
//             throw invalid_argument.
// Callbacks.  An exception that leaves a log or progress receiver never passes through the library: it stops the call within
//             one model call, as context::cancel would, and is thrown from there. See context::on_progress.
// Results.    Functions return std::vector; those on the hot path have a variant ..._into that fills the host's memory.
//             Arguments are views, made from vectors, arrays, std::span and braced lists.
// Threads.    As in mixgrpo.h: const member functions may run on many threads at once.
#ifndef MIXGRPO_HPP
#define MIXGRPO_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mixgrpo.h"

namespace mixgrpo {

// ------------------------------------------------------------------------------------------------------------- errors

/// An error: a status of mixgrpo.h, and in what() the field, what was expected and what was passed.
class error : public std::runtime_error {
 public:
  error(mixgrpo_status status, const std::string& message) : std::runtime_error(message), status_(status) {}

  mixgrpo_status status() const noexcept { return status_; }
  /// Such as "invalid_argument".
  const char* status_name() const noexcept { return mixgrpo_status_name(status_); }

 private:
  mixgrpo_status status_;
};

/// The context was cancelled; everything is as before the call.
class cancelled : public error {
 public:
  using error::error;
};

// -------------------------------------------------------------------------------------------------------------- views

/// A pointer and a number of values that something else owns, like C++20's std::span. Made from anything with data() and
/// size(), from C arrays, and (a view of const values, as an argument) from a braced list.
template <class T>
class view {
  template <class Container>
  using element = std::remove_pointer_t<decltype(std::data(std::declval<Container&>()))>;
  template <class Container>  // no other change of type than the addition of const
  using enable_if_fits = std::enable_if_t<std::is_convertible_v<element<Container> (*)[], T (*)[]>>;

 public:
  using value_type = std::remove_const_t<T>;

  constexpr view() noexcept = default;
  constexpr view(T* data, std::size_t size) noexcept : data_(data), size_(size) {}

  template <class Container, class = enable_if_fits<Container>>
  constexpr view(Container& values) noexcept : data_(std::data(values)), size_(std::size(values)) {}

  template <class Container, class = enable_if_fits<const Container>>
  constexpr view(const Container& values) noexcept : data_(std::data(values)), size_(std::size(values)) {}

  /// The list lives until the end of the full expression: for arguments only.
  constexpr view(std::initializer_list<value_type> values) noexcept {
    data_ = values.begin();
    size_ = values.size();
  }

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }
  constexpr T& operator[](std::size_t index) const noexcept { return data_[index]; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

// ----------------------------------------------------------------------------------------------------- implementation

namespace detail {

template <class C, void (*destroy)(C*)>
struct plain_destroyer {
  void operator()(C* handle) const noexcept { destroy(handle); }
};

/// A context with the receivers of its callbacks. Every object that was created with the context holds it, so that a
/// receiver lives as long as anything may call it.
class context_state : public std::enable_shared_from_this<context_state> {
 public:
  explicit context_state(mixgrpo_context* context) noexcept : handle(context) {}

  /// Stores what a receiver threw for the call in progress, and stops that call.
  template <class Receive>
  void guard(Receive receive) noexcept;

  /// Takes back the stop of `guard`, but not a cancel by the host, even one at the same moment.
  void resume() noexcept {
    mixgrpo_context_reset_cancel(handle.get());
    if (cancelled_by_host) mixgrpo_context_cancel(handle.get());
  }

  static void forward_log(void* self, mixgrpo_log_level level, const char* message) noexcept {
    auto& state = *static_cast<context_state*>(self);
    state.guard([&] { state.log(level, message); });
  }
  static void forward_progress(void* self, const mixgrpo_progress* progress) noexcept {
    auto& state = *static_cast<context_state*>(self);
    state.guard([&] { state.progress(*progress); });
  }

  std::unique_ptr<mixgrpo_context, plain_destroyer<mixgrpo_context, mixgrpo_context_destroy>> handle;
  std::function<void(mixgrpo_log_level, const char*)> log;
  std::function<void(const mixgrpo_progress&)> progress;
  std::atomic<bool> cancelled_by_host{false};
};

/// What a receiver threw during the call that this thread is in.
struct thrown_by_receiver {
  std::exception_ptr exception;
  std::shared_ptr<context_state> context;
};

inline thrown_by_receiver& pending() noexcept {
  static thread_local thrown_by_receiver thrown;
  return thrown;
}

template <class Receive>
void context_state::guard(Receive receive) noexcept {
  if (pending().exception) return;  // the call is ending
  try {
    receive();
  } catch (...) {
    pending() = {std::current_exception(), shared_from_this()};
    mixgrpo_context_cancel(handle.get());
  }
}

/// Every call goes through here: throws what a receiver threw, else an error for the status.
inline void check(mixgrpo_status status) {
  if (pending().exception) {
    const thrown_by_receiver thrown = std::exchange(pending(), {});
    thrown.context->resume();
    std::rethrow_exception(thrown.exception);
  }
  if (status == MIXGRPO_STATUS_CANCELLED) throw cancelled(status, mixgrpo_last_error());
  if (status != MIXGRPO_STATUS_OK) throw error(status, mixgrpo_last_error());
}

[[noreturn]] inline void refuse(const char* field, const std::string& expected, const std::string& got) {
  throw error(MIXGRPO_STATUS_INVALID_ARGUMENT, std::string(field) + ": expected " + expected + ", got " + got);
}

/// For arrays whose length the C function derives from another argument and cannot check.
inline void check_size(const char* field, std::size_t expected, std::size_t size) {
  if (size != expected) refuse(field, std::to_string(expected) + " values", std::to_string(size));
}

/// For an optional array whose length the C function derives from another argument and cannot check.
inline void check_optional_size(const char* field, std::size_t expected, std::size_t size) {
  if (size != 0) check_size(field, expected, size);
}

/// The product, or the largest number there is: no vector has that size. 0 for a negative factor, which is then refused by
/// the library.
template <class... Factors>
std::size_t product(Factors... factors) noexcept {
  std::size_t result = 1;
  const auto multiply = [&](std::size_t factor) {
    const std::size_t limit = std::numeric_limits<std::size_t>::max();
    result = factor != 0 && result > limit / factor ? limit : result * factor;
  };
  const auto natural = [](auto factor) { return factor > 0 ? static_cast<std::size_t>(factor) : std::size_t{0}; };
  (multiply(natural(factors)), ...);
  return result;
}

/// A pointer for C: NULL for an empty array.
template <class T>
T* pointer(view<T> values) noexcept {
  return values.empty() ? nullptr : values.data();
}

/// A string for C. One with a zero inside is refused: C would read only the part before it.
inline const char* text(const char* field, const std::string& value) {
  if (value.find('\0') != std::string::npos) refuse(field, "text without a zero character", "one that has it");
  return value.c_str();
}

inline std::vector<const char*> texts(const char* field, view<const std::string> values) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(text(field, value));
  return pointers;
}

/// A result structure, ready to be filled.
template <class Result>
Result sized() noexcept {
  Result result{};
  result.struct_size = sizeof result;
  return result;
}

/// The structure that a function writes to its last parameter.
template <class Result, class... Parameters, class... Arguments>
Result read_struct(mixgrpo_status (*function)(Parameters...), Arguments... arguments) {
  auto result = sized<Result>();
  check(function(arguments..., &result));
  return result;
}

/// The defaults of a configuration.
template <class Config>
Config defaults(mixgrpo_status (*init)(Config*, std::size_t)) {
  Config config;
  check(init(&config, sizeof config));
  return config;
}

/// The values that a function writes to the array of its last two parameters.
template <class Value, class... Parameters, class... Arguments>
std::vector<Value> read_values(std::size_t count, mixgrpo_status (*function)(Parameters...), Arguments... arguments) {
  std::vector<Value> values(count);
  check(function(arguments..., values.data(), values.size()));
  return values;
}

/// All values of a function that gives their number when called without a buffer. There may be fewer at the second call.
template <class Values, class... Parameters, class... Arguments>
Values read_all(mixgrpo_status (*function)(Parameters...), Arguments... arguments) {
  std::size_t size = 0;
  check(function(arguments..., nullptr, 0, &size));
  Values values(size, 0);
  check(function(arguments..., values.data(), values.size(), &size));
  values.resize(size);
  return values;
}

/// The same for a text, without its terminating zero.
template <class... Parameters, class... Arguments>
std::string read_text(mixgrpo_status (*function)(Parameters...), Arguments... arguments) {
  auto text = read_all<std::string>(function, arguments...);
  text.pop_back();
  return text;
}

/// The context that an object was created with, for objects built from it.
struct access {
  template <class Object>
  static const std::shared_ptr<context_state>& state(const Object& object) noexcept {
    return object.state();
  }
};

/// A handle and the context it was created with.
template <class C, void (*destroy)(C*)>
class object {
 public:
  /// The handle for functions of mixgrpo.h; stays the object's. NULL when moved from.
  C* get() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

 protected:
  /// `create`: writes a handle to its last argument and returns a status.
  template <class Create, class... Arguments>
  object(std::shared_ptr<context_state> context, Create create, Arguments... arguments)
      : handle_(nullptr, destroyer{std::move(context)}) {
    C* created = nullptr;
    const mixgrpo_status status = create(arguments..., &created);
    handle_.reset(created);
    check(status);
  }

 private:
  friend struct access;
  const std::shared_ptr<context_state>& state() const noexcept { return handle_.get_deleter().context; }

  struct destroyer {
    std::shared_ptr<context_state> context;  // released after the handle
    void operator()(C* handle) const noexcept { destroy(handle); }
  };
  std::unique_ptr<C, destroyer> handle_;
};

}  // namespace detail

// ------------------------------------------------------------------------------------------------------------ context

/// Threads, log, progress and cancel.
class context {
 public:
  /// `threads`: 0 for one per available core. Throws unsupported also when the loaded library has another binary interface.
  explicit context(std::int32_t threads = 0) {
    if (mixgrpo_abi_version() != MIXGRPO_ABI_VERSION)
      throw error(
          MIXGRPO_STATUS_UNSUPPORTED, "libmixgrpo: expected ABI " + std::to_string(MIXGRPO_ABI_VERSION) + ", got " +
                                         std::to_string(mixgrpo_abi_version()) + " (release " + mixgrpo_version() + ")");
    mixgrpo_context* created = nullptr;
    detail::check(mixgrpo_context_create(threads, &created));
    try {
      state_ = std::make_shared<detail::context_state>(created);
    } catch (...) {
      mixgrpo_context_destroy(created);
      throw;
    }
  }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  context(context&&) noexcept = default;
  context& operator=(context&&) noexcept = default;

  /// The handle for functions of mixgrpo.h; stays the object's. NULL when moved from.
  mixgrpo_context* get() const noexcept { return state_ ? state_->handle.get() : nullptr; }
  explicit operator bool() const noexcept { return get() != nullptr; }

  std::int32_t threads() const noexcept { return mixgrpo_context_threads(get()); }

  /// Sets the receiver of log lines; an empty function (the default) for silence. Exceptions: see on_progress. A line
  /// may come when a call has done its work; an exception then does not undo that work.
  void on_log(std::function<void(mixgrpo_log_level, const char* message)> receiver) {
    detail::check(
        mixgrpo_context_set_log(get(), receiver ? detail::context_state::forward_log : nullptr, state_.get()));
    state_->log = std::move(receiver);
  }

  /// Sets the receiver of progress; an empty function (the default) for silence. It runs on the thread that made the call,
  /// and lives until it is replaced or until the context and all that was created with it are destroyed. What it throws
  /// stops the call within one model call, as `cancel` would (other calls in flight on this context are cancelled with it),
  /// and is thrown from there; the objects are as they were before the call. (A function of mixgrpo.h, called with `get`,
  /// cannot throw it: the next call of this header on that thread does.)
  void on_progress(std::function<void(const mixgrpo_progress&)> receiver) {
    detail::check(
        mixgrpo_context_set_progress(get(), receiver ? detail::context_state::forward_progress : nullptr, state_.get()));
    state_->progress = std::move(receiver);
  }

  /// Stops rollouts, updates and sampling of this context within one model call: they throw `cancelled`. Sticky until
  /// reset_cancel. From any thread at any time, also from a signal handler.
  void cancel() const noexcept {
    if (!state_) return;
    state_->cancelled_by_host = true;
    mixgrpo_context_cancel(get());
  }
  void reset_cancel() const noexcept {
    if (!state_) return;
    state_->cancelled_by_host = false;
    mixgrpo_context_reset_cancel(get());
  }
  bool is_cancelled() const noexcept { return mixgrpo_context_is_cancelled(get()) != 0; }

 private:
  friend struct detail::access;
  const std::shared_ptr<detail::context_state>& state() const noexcept { return state_; }

  std::shared_ptr<detail::context_state> state_;
};

// -------------------------------------------------------------------------------------------------------------- model

/// The default sizes of a model.
inline mixgrpo_model_config make_model_config() { return detail::defaults(mixgrpo_model_config_init); }

inline mixgrpo_lora_config make_lora_config() { return detail::defaults(mixgrpo_lora_config_init); }

/// The sizes in `folder`/config.json.
inline mixgrpo_model_config load_model_config(const std::string& folder) {
  auto config = make_model_config();
  detail::check(mixgrpo_model_config_load(detail::text("folder", folder), &config));
  return config;
}

/// The built-in flow transformer.
class model : public detail::object<mixgrpo_model, mixgrpo_model_destroy> {
 public:
  /// Random weights, which depend only on `seed` and the sizes.
  model(const context& context, const mixgrpo_model_config& config, std::uint64_t seed)
      : object(detail::access::state(context), mixgrpo_model_create, context.get(), &config, seed) {}

  /// Loads a diffusers folder.
  static model load(const context& context, const std::string& folder) {
    return model(detail::access::state(context), mixgrpo_model_load, context.get(), detail::text("folder", folder));
  }

  /// Loads a diffusers folder as a frozen model.
  static model load_frozen(const context& context, const std::string& folder) {
    return model(detail::access::state(context), mixgrpo_model_load_frozen, context.get(), detail::text("folder", folder));
  }
  /// A copy whose weights never change; those of the blocks are rounded to bfloat16.
  model freeze() const { return model(detail::access::state(*this), mixgrpo_model_freeze, get()); }

  /// An independent copy of the weights, for a frozen reference.
  model copy() const { return model(detail::access::state(*this), mixgrpo_model_copy, get()); }

  void save(const std::string& folder, mixgrpo_storage storage = MIXGRPO_STORAGE_F32) const {
    detail::check(mixgrpo_model_save(get(), detail::text("folder", folder), storage));
  }

  /// A model that trains a new adapter of this one, whose weights must not be written meanwhile. `targets`: names, ends of names or
  /// patterns with *; empty for all layers of the blocks except modulations.
  model adapt(const mixgrpo_lora_config& config, view<const std::string> targets = {}) const {
    const auto pointers = detail::texts("targets", targets);
    return model(detail::access::state(*this), mixgrpo_model_adapt, get(), &config, pointers.data(), pointers.size());
  }
  /// This model with the adapter in a file or folder of PEFT, diffusers or kohya.
  model load_adapter(const std::string& path) const {
    return model(detail::access::state(*this), mixgrpo_model_load_adapter, get(), detail::text("path", path));
  }
  void save_adapter(const std::string& path, mixgrpo_adapter_format format = MIXGRPO_ADAPTER_FORMAT_PEFT) const {
    detail::check(mixgrpo_model_save_adapter(get(), detail::text("path", path), format));
  }
  /// A model with the adapter merged into its weights.
  model merge() const { return model(detail::access::state(*this), mixgrpo_model_merge, get()); }
  /// Multiplies the adapter, 0...2.
  void set_adapter_strength(double strength) { detail::check(mixgrpo_model_set_adapter_strength(get(), strength)); }

  mixgrpo_model_config config() const {
    return detail::read_struct<mixgrpo_model_config>(mixgrpo_model_get_config, get());
  }

  /// The number of weight tensors.
  std::size_t tensor_count() const {
    std::size_t tensors = 0;
    detail::check(mixgrpo_model_get_size(get(), &tensors, nullptr));
    return tensors;
  }

  /// The number of weights.
  std::size_t value_count() const {
    std::size_t values = 0;
    detail::check(mixgrpo_model_get_size(get(), nullptr, &values));
    return values;
  }

  /// The result's name lives as long as the model.
  mixgrpo_parameter_info parameter(std::size_t index) const {
    return detail::read_struct<mixgrpo_parameter_info>(mixgrpo_model_get_parameter, get(), index);
  }
  mixgrpo_parameter_info parameter(const std::string& name) const {
    std::size_t index = 0;
    detail::check(mixgrpo_model_find_parameter(get(), detail::text("name", name), &index));
    return parameter(index);
  }

  /// All weights, or all gradients, as one vector in the order of `parameter`.
  std::vector<float> weights() const {
    return detail::read_values<float>(value_count(), mixgrpo_model_get_weights, get(), std::size_t{0});
  }
  std::vector<float> gradients() const {
    return detail::read_values<float>(value_count(), mixgrpo_model_get_gradients, get(), std::size_t{0});
  }

  /// A range of that vector, from `offset` on.
  void get_weights(std::size_t offset, view<float> out) const {
    detail::check(mixgrpo_model_get_weights(get(), offset, out.data(), out.size()));
  }
  void set_weights(std::size_t offset, view<const float> values) {
    detail::check(mixgrpo_model_set_weights(get(), offset, values.data(), values.size()));
  }
  void get_gradients(std::size_t offset, view<float> out) const {
    detail::check(mixgrpo_model_get_gradients(get(), offset, out.data(), out.size()));
  }
  void set_gradients(std::size_t offset, view<const float> values) {
    detail::check(mixgrpo_model_set_gradients(get(), offset, values.data(), values.size()));
  }
  void zero_gradients() { detail::check(mixgrpo_model_zero_gradients(get())); }

 private:
  using object::object;
};

// ------------------------------------------------------------------------------------------------------------ prompts

/// The text embeddings of all prompts of a run. Immutable.
class prompts : public detail::object<mixgrpo_prompts, mixgrpo_prompts_destroy> {
 public:
  /// `text`: (prompt_count, text_length, text_width); `pooled`: (prompt_count, pooled_width). Copied.
  prompts(
      const context& context, view<const float> text, view<const float> pooled, std::size_t prompt_count,
      std::int32_t text_length, std::int32_t text_width, std::int32_t pooled_width)
      : object(
            detail::access::state(context), mixgrpo_prompts_create, context.get(), text.data(), text.size(), pooled.data(),
            pooled.size(), prompt_count, text_length, text_width, pooled_width) {}

  /// UTF-8 prompts, encoded by hashing their words: for examples and tests.
  static prompts hashed_words(
      const context& context, view<const std::string> lines, std::int32_t text_length, std::int32_t text_width,
      std::int32_t pooled_width) {
    const std::vector<const char*> pointers = detail::texts("prompts", lines);
    return prompts(
        detail::access::state(context), mixgrpo_prompts_create_hashed_words, context.get(), pointers.data(), pointers.size(),
        text_length, text_width, pooled_width);
  }

  std::size_t count() const noexcept { return mixgrpo_prompts_count(get()); }

 private:
  using object::object;
};

/// Text embeddings in the host's memory.
struct embeddings {
  std::vector<float> text;    // (prompts, L, J)
  std::vector<float> pooled;  // (prompts, Q)
};

inline embeddings hashed_words_encode(
    view<const std::string> lines, std::int32_t text_length, std::int32_t text_width, std::int32_t pooled_width) {
  const std::vector<const char*> pointers = detail::texts("prompts", lines);
  embeddings result;
  result.text.resize(detail::product(lines.size(), text_length, text_width));
  result.pooled.resize(detail::product(lines.size(), pooled_width));
  detail::check(mixgrpo_hashed_words_encode(
      pointers.data(), pointers.size(), text_length, text_width, pooled_width,
      result.text.data(), result.text.size(), result.pooled.data(), result.pooled.size()));
  return result;
}

// ---------------------------------------------------------------------------------------------------------- evaluator

inline mixgrpo_evaluator_config make_evaluator_config() { return detail::defaults(mixgrpo_evaluator_config_init); }

/// `sigmas`: the host's own time grid of T + 1 values, or empty for `steps` and `shift`. It is not copied, and must live as
/// long as the configuration.
inline mixgrpo_sample_config make_sample_config(view<const double> sigmas = {}) {
  auto config = detail::defaults(mixgrpo_sample_config_init);
  config.sigmas = detail::pointer(sigmas);
  config.sigma_count = sigmas.size();
  return config;
}

/// A model prepared for one image size, with its working memory.
class evaluator : public detail::object<mixgrpo_evaluator, mixgrpo_evaluator_destroy> {
 public:
  /// `image_ids`: positions (N, 3) of the image tokens, or empty for the usual (0, row, column).
  evaluator(model& model, const mixgrpo_evaluator_config& config, view<const float> image_ids = {})
      : object(
            detail::access::state(model), mixgrpo_evaluator_create, model.get(), &config, detail::pointer(image_ids),
            image_ids.size()),
        velocity_size_(detail::product(config.height_tokens, config.width_tokens, model.config().out_channels)) {}

  /// D = N*C, values in one latent.
  std::size_t latent_size() const noexcept { return mixgrpo_evaluator_latent_size(get()); }

  /// The velocity dx/dsigma, (B, N, C), at `latents` (B, N, C), `sigmas` (B) and `prompt_index` (B).
  std::vector<float> velocity(
      const prompts& prompts, view<const float> latents, view<const float> sigmas, view<const std::int32_t> prompt_index,
      bool keep_activations = false) {
    std::vector<float> result(detail::product(sigmas.size(), velocity_size_));
    velocity_into(result, prompts, latents, sigmas, prompt_index, keep_activations);
    return result;
  }
  void velocity_into(
      view<float> out, const prompts& prompts, view<const float> latents, view<const float> sigmas,
      view<const std::int32_t> prompt_index, bool keep_activations = false) {
    const std::size_t count = sigmas.size();
    detail::check_size("latents", detail::product(count, latent_size()), latents.size());
    detail::check_size("prompt_index", count, prompt_index.size());
    detail::check(mixgrpo_evaluator_velocity(
        get(), prompts.get(), latents.data(), sigmas.data(), prompt_index.data(), count, keep_activations, out.data(),
        out.size()));
  }

  /// Adds dL/dweights of the latest velocity, which must have kept its activations, to the model's gradients.
  void backward(view<const float> d_velocity) {
    detail::check(
        mixgrpo_evaluator_backward(get(), d_velocity.data(), d_velocity.size(), nullptr, 0));
  }
  /// Adds dL/dweights to the model's gradients and writes dL/dlatents (B, N, C).
  void backward_into(view<float> out_d_latents, view<const float> d_velocity) {
    detail::check(mixgrpo_evaluator_backward(
        get(), d_velocity.data(), d_velocity.size(), out_d_latents.data(),
        out_d_latents.size()));
  }

  /// Deterministic samples, (P, S, N, C). `base`: needed when trained_model_share < 1.
  std::vector<float> sample(
      const prompts& prompts, const mixgrpo_sample_config& config, view<const std::int32_t> prompt_indices,
      evaluator* base = nullptr, view<const float> initial_noise = {}) {
    std::vector<float> result(detail::product(prompt_indices.size(), config.samples_per_prompt, latent_size()));
    sample_into(result, prompts, config, prompt_indices, base, initial_noise);
    return result;
  }
  void sample_into(
      view<float> out, const prompts& prompts, const mixgrpo_sample_config& config,
      view<const std::int32_t> prompt_indices, evaluator* base = nullptr, view<const float> initial_noise = {}) {
    detail::check(mixgrpo_evaluator_sample(
        get(), base ? base->get() : nullptr, prompts.get(), &config, prompt_indices.data(), prompt_indices.size(),
        detail::pointer(initial_noise), initial_noise.size(), out.data(), out.size()));
  }

 private:
  std::size_t velocity_size_;  // N*out_channels
};

// ----------------------------------------------------------------------------------------------------------- settings

/// How to sample and how to learn.
struct settings {
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
};

inline mixgrpo_sampling_config make_sampling_config() {
  mixgrpo_sampling_config config;
  detail::check(mixgrpo_config_init(&config, sizeof config, nullptr, 0));
  return config;
}

inline mixgrpo_learning_config make_learning_config() {
  mixgrpo_learning_config config;
  detail::check(mixgrpo_config_init(nullptr, 0, &config, sizeof config));
  return config;
}

/// A preset, such as "mixgrpo_flash" or "person", with the default seed and group size.
inline settings preset(const std::string& name) {
  settings result{make_sampling_config(), make_learning_config()};
  detail::check(mixgrpo_config_init_preset(detail::text("name", name), &result.sampling, &result.learning));
  return result;
}

inline std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  while (const char* name = mixgrpo_preset_name(names.size())) names.emplace_back(name);
  return names;
}

/// Throws invalid_argument naming every field that is wrong or does not go with another.
inline void check(const settings& settings) {
  detail::check(mixgrpo_config_check(&settings.sampling, &settings.learning));
}

/// Every setting of every configuration: key, kind, cases, default, range, unit, meaning. All texts are static.
inline std::vector<mixgrpo_setting> all_settings() {
  std::vector<mixgrpo_setting> all(mixgrpo_setting_count());
  for (std::size_t index = 0; index < all.size(); index++) {
    all[index].struct_size = sizeof(mixgrpo_setting);
    detail::check(mixgrpo_setting_info(index, &all[index]));
  }
  return all;
}

/// What the settings will do, in lines of "field = value".
inline std::string describe(const settings& settings) {
  return detail::read_text(mixgrpo_config_describe, &settings.sampling, &settings.learning);
}

// --------------------------------------------------------------------------------------------------------------- plan

/// Settings of sampling and time grid, checked and immutable.
class plan : public detail::object<mixgrpo_plan, mixgrpo_plan_destroy> {
 public:
  /// `sigmas`: an own time grid of T + 1 values, or empty.
  explicit plan(const mixgrpo_sampling_config& config, view<const double> sigmas = {})
      : object(nullptr, mixgrpo_plan_create, &config, detail::pointer(sigmas), sigmas.size()),
        group_size_(config.group_size) {}

  /// G, samples per prompt.
  std::int32_t group_size() const noexcept { return group_size_; }

  /// The window and the work of one iteration. `minibatches`: updates_per_iteration of the learning configuration.
  mixgrpo_iteration_plan iteration(
      std::int64_t iteration, std::int32_t prompt_count, std::int32_t minibatches,
      std::int32_t window_start = MIXGRPO_WINDOW_START_SCHEDULED) const {
    return detail::read_struct<mixgrpo_iteration_plan>(
        mixgrpo_plan_get_iteration, get(), iteration, window_start, prompt_count, minibatches);
  }

  mixgrpo_step step(
      std::int64_t iteration, std::int32_t index, std::int32_t window_start = MIXGRPO_WINDOW_START_SCHEDULED) const {
    return detail::read_struct<mixgrpo_step>(mixgrpo_plan_get_step, get(), iteration, window_start, index);
  }

  /// The state of an adaptive window after an iteration. Begin with the state of make_adaptive_window.
  mixgrpo_adaptive_window advance(
      const mixgrpo_adaptive_window& state, double reward_mean, double reward_std) const {
    return detail::read_struct<mixgrpo_adaptive_window>(
        mixgrpo_adaptive_window_advance, get(), &state, reward_mean, reward_std);
  }

  /// `workload`: from make_workload. `learning` NULL: only the rollout. `model` NULL: the host owns the model.
  mixgrpo_memory memory(
      std::int64_t iteration, const mixgrpo_workload& workload, const mixgrpo_learning_config* learning = nullptr,
      const mixgrpo_model_config* model = nullptr, std::int32_t window_start = MIXGRPO_WINDOW_START_SCHEDULED) const {
    return detail::read_struct<mixgrpo_memory>(
        mixgrpo_plan_predict_memory, get(), iteration, window_start, learning, model, &workload);
  }

 private:
  std::int32_t group_size_;
};

/// An adaptive window at the start of a run.
inline mixgrpo_adaptive_window make_adaptive_window() { return detail::defaults(mixgrpo_adaptive_window_init); }

/// All sizes 0, to be filled in.
inline mixgrpo_workload make_workload() noexcept { return detail::sized<mixgrpo_workload>(); }

// ------------------------------------------------------------------------------------------------------------ rollout

/// What a rollout, an update or a host_trainer asks for; false when nothing is left. The views are valid until the next
/// non-const call on the object that gave them (for submit: until it returns; those of an update until its following `next`).
struct request {
  mixgrpo_request_kind kind = MIXGRPO_REQUEST_KIND_FINISHED;
  std::int32_t minibatch = 0;    // update: index of the minibatch
  bool needs_reference = false;  // update: also evaluate the frozen reference
  std::size_t latent_size = 0;   // D
  view<const float> latents;     // (B, D)
  view<const float> sigmas;      // (B)
  view<const std::int32_t> prompt_index;  // (B), as given to the rollout
  view<const std::int32_t> sample;        // (B), the first sample with this latent
  view<const std::int32_t> step;          // (B), the step in the iteration's plan
  bool needs_gradient = false;            // update: submit gives dL/dvelocity
  mixgrpo_weights weights = MIXGRPO_WEIGHTS_TRAINED;  // to evaluate
  bool is_trained = false;                // the update evaluates these latents (again)
  double rate_factor = 1;                 // optimizer step of a host_trainer: multiplies its learning rate

  request() = default;
  explicit request(const mixgrpo_velocity_request& from)
      : kind(from.kind), minibatch(from.minibatch), needs_reference(from.needs_reference != 0), latent_size(from.latent_size),
        needs_gradient(from.needs_gradient != 0), weights(from.weights), is_trained(from.is_trained != 0),
        rate_factor(from.rate_factor) {
    const auto count = static_cast<std::size_t>(from.count);
    latents = {from.latents, count * latent_size};
    sigmas = {from.sigmas, count};
    prompt_index = {from.prompt_index, count};
    sample = {from.sample, count};
    step = {from.step, count};
  }

  /// B, the latents to evaluate.
  std::size_t count() const noexcept { return sigmas.size(); }
  /// Update only: step the optimizer on the accumulated gradients, zero them, then call next again.
  bool is_optimizer_step() const noexcept { return kind == MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP; }
  explicit operator bool() const noexcept { return kind != MIXGRPO_REQUEST_KIND_FINISHED; }
};

/// What was stored of a trained step.
struct trained_step {
  std::vector<float> latents;             // (P, G, D)
  std::vector<float> next_latents;        // (P, G, D)
  std::vector<double> log_probabilities;  // (P, G)
};

inline mixgrpo_rollout_config make_rollout_config() { return detail::defaults(mixgrpo_rollout_config_init); }

/// The sampling of one iteration as a state machine that asks for velocities.
class rollout : public detail::object<mixgrpo_rollout, mixgrpo_rollout_destroy> {
 public:
  /// `initial_noise`: empty (drawn by the library), (P, D), or (P, G, D).
  rollout(
      const context& context, const plan& plan, const mixgrpo_rollout_config& config,
      view<const std::int32_t> prompt_indices, view<const float> initial_noise = {})
      : object(
            detail::access::state(context), mixgrpo_rollout_create, context.get(), plan.get(), &config, prompt_indices.data(),
            prompt_indices.size(), detail::pointer(initial_noise), initial_noise.size()),
        sample_count_(detail::product(prompt_indices.size(), plan.group_size())),
        latent_size_(config.latent_size) {}

  /// P*G.
  std::size_t sample_count() const noexcept { return sample_count_; }

  /// The next request. A second call before the submit gives the same request.
  request next() {
    return request(detail::read_struct<mixgrpo_velocity_request>(mixgrpo_rollout_next, get()));
  }

  /// Answers the current request: (B, D). After an error the request still stands and may be answered again, unless a
  /// latent overflowed.
  void submit(view<const float> velocity) {
    detail::check(mixgrpo_rollout_submit(get(), velocity.data(), velocity.size()));
  }

  /// Answers all remaining requests with the built-in model.
  void run(evaluator& evaluator, const prompts& prompts) {
    detail::check(mixgrpo_rollout_run(get(), evaluator.get(), prompts.get()));
  }

  /// The finished samples, (P, G, D).
  std::vector<float> samples() const {
    std::vector<float> result(detail::product(sample_count_, latent_size_));
    samples_into(result);
    return result;
  }
  void samples_into(view<float> out) const {
    detail::check(mixgrpo_rollout_get_samples(get(), out.data(), out.size()));
  }

  /// Trained step `index`, 0...trained_step_count - 1.
  trained_step step(std::int32_t index) const {
    const std::size_t values = detail::product(sample_count_, latent_size_);
    trained_step result{std::vector<float>(values), std::vector<float>(values), std::vector<double>(sample_count_)};
    detail::check(mixgrpo_rollout_get_step(
        get(), index, result.latents.data(), values, result.next_latents.data(), values, result.log_probabilities.data(),
        sample_count_));
    return result;
  }

  /// Latents evaluated so far.
  std::int64_t model_calls() const noexcept { return mixgrpo_rollout_model_calls(get()); }

 private:
  std::size_t sample_count_, latent_size_;
};

// --------------------------------------------------------------------------------------------------------- advantages

struct group_advantages {
  std::vector<double> values;           // (P, G)
  std::vector<std::uint8_t> included;   // (P, G), 0 for an excluded sample
  mixgrpo_advantage_report report;
};

/// Group advantages of rewards (K, P, G); K follows from the number of rewards. `weights`: (K), or empty for 1 each.
inline group_advantages advantages(
    const mixgrpo_learning_config& config, view<const double> rewards, std::size_t prompt_count,
    std::int32_t group_size, view<const double> weights = {}) {
  const std::size_t samples = detail::product(prompt_count, group_size);
  if (samples == 0 || rewards.empty() || rewards.size() % samples != 0)
    detail::refuse(
        "rewards", "a multiple of prompt_count*group_size = " + std::to_string(prompt_count) + "*" +
                       std::to_string(group_size) + " values", std::to_string(rewards.size()));
  group_advantages result{
      std::vector<double>(samples), std::vector<std::uint8_t>(samples), detail::sized<mixgrpo_advantage_report>()};
  detail::check(mixgrpo_advantages(
      &config, rewards.data(), rewards.size() / samples, prompt_count, group_size,
      detail::pointer(weights), weights.size(), result.values.data(), result.included.data(), samples, &result.report));
  return result;
}

/// Scores of a group's images, 0…1, from a person's ratings, such as stars; NaN for an image without one.
inline std::vector<double> scores_from_ratings(view<const double> ratings) {
  return detail::read_values<double>(ratings.size(), mixgrpo_scores_from_ratings, ratings.data(), ratings.size());
}

/// Scores of a group's images, 0…1, from pairs (P, 2) of a winner and a loser; NaN for an image in no pair.
inline std::vector<double> scores_from_pairs(view<const std::int32_t> pairs, std::int32_t group_size) {
  if (pairs.size() % 2 != 0) detail::refuse("pairs", "a winner and a loser each", std::to_string(pairs.size()) + " indices");
  return detail::read_values<double>(
      group_size > 0 ? static_cast<std::size_t>(group_size) : 0, mixgrpo_scores_from_pairs, detail::pointer(pairs),
      pairs.size() / 2, group_size);
}

// -------------------------------------------------------------------------------------------------- optimizer, update

/// AdamW.
class optimizer : public detail::object<mixgrpo_optimizer, mixgrpo_optimizer_destroy> {
 public:
  optimizer(const context& context, const mixgrpo_learning_config& config, std::size_t parameter_count)
      : object(detail::access::state(context), mixgrpo_optimizer_create, context.get(), &config, parameter_count) {}

  /// One step on the host's own weights, in place.
  mixgrpo_optimizer_report step(view<float> weights, view<const float> gradients) {
    detail::check_size("gradients", weights.size(), gradients.size());
    return detail::read_struct<mixgrpo_optimizer_report>(
        mixgrpo_optimizer_step, get(), weights.data(), gradients.data(), weights.size());
  }

  /// One step on a model with its accumulated gradients, which are zeroed.
  mixgrpo_optimizer_report step(model& model) {
    return detail::read_struct<mixgrpo_optimizer_report>(mixgrpo_optimizer_step_model, get(), model.get());
  }
};

/// The training on one rollout as a state machine: it asks for velocities and answers with dL/dvelocity.
class update : public detail::object<mixgrpo_update, mixgrpo_update_destroy> {
 public:
  /// `advantages`, `included`: (P, G), of a finished rollout; `included` may be empty for all. `max_batch`: most
  /// latents in one request, 0 for no limit.
  update(
      const rollout& rollout, const mixgrpo_learning_config& config, view<const double> advantages,
      view<const std::uint8_t> included = {}, std::int32_t max_batch = 0)
      : object(detail::access::state(rollout), [&](mixgrpo_update** out) {
          detail::check_optional_size("included", advantages.size(), included.size());
          return mixgrpo_update_create(
              rollout.get(), &config, advantages.data(), detail::pointer(included), advantages.size(), max_batch, out);
        }) {}

  /// The next request. A second call before the submit gives the same request; an optimizer step counts as done with the
  /// next call.
  request next() {
    return request(detail::read_struct<mixgrpo_velocity_request>(mixgrpo_update_next, get()));
  }

  /// Answers with velocities (B, D), and with those of the frozen reference if needed. Gives dL/dvelocity (B, D),
  /// to be backpropagated into the host's model and accumulated until the next optimizer step.
  std::vector<float> submit(view<const float> velocity, view<const float> reference_velocity = {}) {
    std::vector<float> d_velocity(velocity.size());
    submit_into(d_velocity, velocity, reference_velocity);
    return d_velocity;
  }
  void submit_into(
      view<float> out_d_velocity, view<const float> velocity, view<const float> reference_velocity = {}) {
    detail::check_optional_size("reference_velocity", velocity.size(), reference_velocity.size());
    detail::check(mixgrpo_update_submit(
        get(), velocity.data(), detail::pointer(reference_velocity), velocity.size(), out_d_velocity.data(),
        out_d_velocity.size()));
  }

  /// Answers all requests with the built-in model and steps `optimizer` on it. `reference`: an evaluator of a frozen copy,
  /// needed when kl_reference > 0.
  mixgrpo_optimizer_report run(
      evaluator& evaluator, const prompts& prompts, optimizer& optimizer, mixgrpo::evaluator* reference = nullptr) {
    return detail::read_struct<mixgrpo_optimizer_report>(
        mixgrpo_update_run, get(), evaluator.get(), prompts.get(), optimizer.get(),
        reference ? reference->get() : nullptr);
  }

  /// The figures of the update so far.
  mixgrpo_update_statistics statistics() const {
    return detail::read_struct<mixgrpo_update_statistics>(mixgrpo_update_get_statistics, get());
  }
};

// ------------------------------------------------------------------------------------------------------------ trainer

/// Samples (P, G, N, C) whose rewards may come later.
struct ticketed_samples {
  std::int64_t ticket = 0;
  std::vector<float> samples;
};

/// What trainer and host_trainer have in common.
class any_trainer : public detail::object<mixgrpo_trainer, mixgrpo_trainer_destroy> {
 public:
  /// The iteration that the next rollout belongs to.
  std::int64_t iteration() const noexcept { return mixgrpo_trainer_iteration(get()); }

  /// The host's own window for the rollouts to come; MIXGRPO_WINDOW_START_SCHEDULED (the default) for the plan's.
  void set_window(std::int32_t window_start) { detail::check(mixgrpo_trainer_set_window(get(), window_start)); }

  /// Submits the rewards of a ticket, (K, P, G), once. Any thread, also while another call on this trainer runs.
  void submit_rewards(std::int64_t ticket, view<const double> rewards) const {
    detail::check(mixgrpo_trainer_submit_rewards(get(), ticket, rewards.data(), rewards.size()));
  }
  /// The tickets without rewards. Any thread.
  std::vector<std::int64_t> open_tickets() const {
    return detail::read_all<std::vector<std::int64_t>>(mixgrpo_trainer_get_open_tickets, get());
  }
  /// Drops the iteration's tickets.
  void drop_tickets() { detail::check(mixgrpo_trainer_drop_tickets(get())); }

  /// The latest iteration's figures.
  mixgrpo_metrics metrics() const {
    return detail::read_struct<mixgrpo_metrics>(mixgrpo_trainer_get_metrics, get());
  }
  /// The latest iteration's figures of one reward; the name lives as long as the trainer.
  mixgrpo_reward_metrics reward_metrics(std::size_t index) const {
    return detail::read_struct<mixgrpo_reward_metrics>(mixgrpo_trainer_get_reward_metrics, get(), index);
  }
  /// The latest iteration's figures as one line of JSON, without line end.
  std::string metrics_json() const {
    return detail::read_text(mixgrpo_trainer_get_metrics_json, get());
  }
  /// Appends the latest iteration's figures to a file, as one line of JSON with a line end.
  void append_metrics(const std::string& path) const {
    detail::check(mixgrpo_trainer_append_metrics(get(), detail::text("path", path)));
  }

  /// How many of so many prompts are this rank's; all of a trainer that trains alone.
  std::size_t share(std::size_t prompts) const {
    return (rank_ + 1) * prompts / rank_count_ - rank_ * prompts / rank_count_;
  }

 protected:
  void join(std::int32_t rank, std::int32_t count) noexcept {
    rank_ = static_cast<std::size_t>(rank);
    rank_count_ = static_cast<std::size_t>(count);
  }
  using object::object;

 private:
  std::size_t rank_ = 0;
  std::size_t rank_count_ = 1;
};

/// Ranks that are threads of this process, such as one for each socket: `trainer.set_collective(ranks.collective(rank))`, each on
/// the thread of its rank. A trainer keeps the transport alive.
class local_ranks : public detail::object<mixgrpo_local_ranks, mixgrpo_local_ranks_destroy> {
 public:
  /// `time_limit`: seconds that a call waits for the other ranks; then it and all later calls of all ranks throw.
  explicit local_ranks(std::int32_t count, double time_limit = 600)
      : object(nullptr, mixgrpo_local_ranks_create, count, time_limit) {}

  /// The collective of `rank`, for one trainer at a time.
  mixgrpo_collective collective(std::int32_t rank) const {
    auto result = detail::sized<mixgrpo_collective>();
    detail::check(mixgrpo_local_ranks_get_collective(get(), rank, &result));
    return result;
  }

  /// Ends the current and all later calls of all ranks, because a rank makes no more calls. Any thread.
  void abandon(const std::string& reason) const {
    detail::check(mixgrpo_local_ranks_abandon(get(), detail::text("reason", reason)));
  }
};

/// Joins evaluator, prompts, plan, learning and optimizer. Trains the evaluator's model in place.
class trainer : public any_trainer {
 public:
  /// `reward_names`: (K). `keep_base`: keep a frozen copy of the weights as they are now.
  trainer(
      evaluator& evaluator, const prompts& prompts, const plan& plan, const mixgrpo_learning_config& learning,
      view<const std::string> reward_names, bool keep_base = false)
      : any_trainer(
            detail::access::state(evaluator),
            [&](mixgrpo_trainer** out) {
              const std::vector<const char*> names = detail::texts("reward_names", reward_names);
              return mixgrpo_trainer_create(
                  evaluator.get(), prompts.get(), plan.get(), &learning, names.data(), names.size(), keep_base, out);
            }),
        group_size_(plan.group_size()),
        latent_size_(evaluator.latent_size()) {}

  /// D, values in one sample.
  std::size_t latent_size() const noexcept { return latent_size_; }

  /// Makes this trainer one of several ranks that train one model together; see mixgrpo_trainer_set_collective. Callbacks must not
  /// throw. Every rank calls it.
  void set_collective(const mixgrpo_collective& collective) {
    detail::check(mixgrpo_trainer_set_collective(get(), &collective));
    join(collective.rank, collective.size);
  }
  /// Ends that: the trainer trains alone again.
  void leave_collective() {
    detail::check(mixgrpo_trainer_set_collective(get(), nullptr));
    join(0, 1);
  }

  /// Samples a group for each of P prompts: (P, G, N, C); of several ranks each gets the samples of its share.
  std::vector<float> rollout(view<const std::int32_t> prompt_indices) {
    std::vector<float> result(detail::product(share(prompt_indices.size()), group_size_, latent_size_));
    rollout_into(result, prompt_indices);
    return result;
  }
  void rollout_into(view<float> out, view<const std::int32_t> prompt_indices) {
    detail::check(
        mixgrpo_trainer_rollout(get(), prompt_indices.data(), prompt_indices.size(), out.data(), out.size()));
  }

  /// Trains on the latest rollout and moves to the next iteration. `rewards`: (K, P, G), NaN for one that failed;
  /// `weights`: (K), or empty for 1 each.
  mixgrpo_metrics update(view<const double> rewards, view<const double> weights = {}) {
    return detail::read_struct<mixgrpo_metrics>(
        mixgrpo_trainer_update, get(), rewards.data(), rewards.size(), detail::pointer(weights), weights.size());
  }

  /// Samples a group for each of P prompts, with a ticket for their rewards: another thread may submit them while this one
  /// samples the next prompts.
  ticketed_samples rollout_ticket(view<const std::int32_t> prompt_indices) {
    ticketed_samples result{
        0, std::vector<float>(detail::product(share(prompt_indices.size()), group_size_, latent_size_))};
    detail::check(mixgrpo_trainer_rollout_ticket(
        get(), prompt_indices.data(), prompt_indices.size(), result.samples.data(), result.samples.size(), &result.ticket));
    return result;
  }
  /// Trains on the iteration's tickets; those without rewards are refused or excluded.
  mixgrpo_metrics update_tickets(
      view<const double> weights = {}, mixgrpo_missing_rewards missing = MIXGRPO_MISSING_REWARDS_REFUSE) {
    return detail::read_struct<mixgrpo_metrics>(
        mixgrpo_trainer_update_tickets, get(), missing, detail::pointer(weights), weights.size());
  }
  /// Saves and restores all that a bit-exact continuation needs.
  void save(const std::string& folder) const {
    detail::check(mixgrpo_trainer_save(get(), detail::text("folder", folder)));
  }
  void restore(const std::string& folder) { detail::check(mixgrpo_trainer_restore(get(), detail::text("folder", folder))); }

  /// Saves into a folder of checkpoints. The newest `keep_last` stay, and with keep_every > 0 those whose iteration is a multiple
  /// of it. Throws invalid_state when there is a complete checkpoint of a later iteration.
  void checkpoint(const std::string& folder, std::int32_t keep_last = 3, std::int64_t keep_every = 0) const {
    detail::check(mixgrpo_trainer_checkpoint(get(), detail::text("folder", folder), keep_last, keep_every));
  }

  /// Brings the trainer to the newest complete checkpoint of a folder; iteration -1 when there is none and nothing was changed.
  mixgrpo_resumption resume(const std::string& folder) {
    return detail::read_struct<mixgrpo_resumption>(mixgrpo_trainer_resume, get(), detail::text("folder", folder));
  }

  /// Deterministic samples with the trainer's own weights and prompts, (P, S, N, C). `weights`: mixgrpo_weights.
  std::vector<float> sample(
      const mixgrpo_sample_config& config, view<const std::int32_t> prompt_indices,
      mixgrpo_weights weights = MIXGRPO_WEIGHTS_TRAINED, view<const float> initial_noise = {}) {
    std::vector<float> result(detail::product(prompt_indices.size(), config.samples_per_prompt, latent_size_));
    sample_into(result, config, prompt_indices, weights, initial_noise);
    return result;
  }
  void sample_into(
      view<float> out, const mixgrpo_sample_config& config, view<const std::int32_t> prompt_indices,
      mixgrpo_weights weights = MIXGRPO_WEIGHTS_TRAINED, view<const float> initial_noise = {}) {
    detail::check(mixgrpo_trainer_sample(
        get(), weights, &config, prompt_indices.data(), prompt_indices.size(), detail::pointer(initial_noise),
        initial_noise.size(), out.data(), out.size()));
  }

  /// Writes one of the trainer's sets of weights as a diffusers folder.
  void save_model(
      const std::string& folder, mixgrpo_storage storage = MIXGRPO_STORAGE_F32,
      mixgrpo_weights weights = MIXGRPO_WEIGHTS_TRAINED) const {
    detail::check(mixgrpo_trainer_save_model(get(), weights, detail::text("folder", folder), storage));
  }

 private:
  std::int32_t group_size_;
  std::size_t latent_size_;
};

/// A trainer for a model and an optimizer that the host owns: the library runs the iteration, the host answers requests.
///
///     trainer.begin_rollout({0, 1});
///     trainer.run(answer);                       // void(const mixgrpo::request&): evaluates, submits, steps, keeps, …
///     trainer.begin_update(my_rewards(trainer.samples()));
///     trainer.run(answer);
class host_trainer : public any_trainer {
 public:
  /// `host`: from make_host_config. `reward_names`: (K).
  host_trainer(
      const context& context, const plan& plan, const mixgrpo_learning_config& learning, const mixgrpo_host_config& host,
      view<const std::string> reward_names)
      : any_trainer(
            detail::access::state(context),
            [&](mixgrpo_trainer** out) {
              const std::vector<const char*> names = detail::texts("reward_names", reward_names);
              return mixgrpo_trainer_create_for_host(
                  context.get(), plan.get(), &learning, &host, names.data(), names.size(), out);
            }),
        group_size_(plan.group_size()),
        latent_size_(host.latent_size) {}

  /// Begins to sample a group for each of P prompts, with a ticket if wanted; then `run`.
  void begin_rollout(view<const std::int32_t> prompt_indices, bool with_ticket = false) {
    detail::check(mixgrpo_trainer_begin_rollout(get(), prompt_indices.data(), prompt_indices.size(), with_ticket));
    drawn_ = detail::product(share(prompt_indices.size()), group_size_, latent_size_);
  }
  /// Begins to draw deterministic samples (P, S, D); then `run`. `weights` comes back in the requests.
  void begin_sample(
      const mixgrpo_sample_config& config, view<const std::int32_t> prompt_indices, view<const float> initial_noise = {},
      mixgrpo_weights weights = MIXGRPO_WEIGHTS_TRAINED) {
    detail::check(mixgrpo_trainer_begin_sample(
        get(), weights, &config, prompt_indices.data(), prompt_indices.size(), detail::pointer(initial_noise),
        initial_noise.size()));
    drawn_ = detail::product(share(prompt_indices.size()), config.samples_per_prompt, latent_size_);
  }
  /// Begins to train on the latest rollout; then `run`, after which the trainer is at the next iteration. `rewards`:
  /// (K, P, G), NaN for one that failed; `weights`: (K), or empty for 1 each.
  void begin_update(view<const double> rewards, view<const double> weights = {}) {
    detail::check(mixgrpo_trainer_begin_update(
        get(), rewards.data(), rewards.size(), detail::pointer(weights), weights.size()));
  }
  /// Begins to train on the iteration's tickets; then `run`, after which the trainer is at the next iteration.
  void begin_update_tickets(
      view<const double> weights = {}, mixgrpo_missing_rewards missing = MIXGRPO_MISSING_REWARDS_REFUSE) {
    detail::check(mixgrpo_trainer_begin_update_tickets(get(), missing, detail::pointer(weights), weights.size()));
  }

  /// The next request; false when nothing is left.
  request next() {
    return request(detail::read_struct<mixgrpo_velocity_request>(mixgrpo_trainer_next, get()));
  }
  /// Answers a request with velocities (B, D), and with those of the frozen reference if needed. Gives dL/dvelocity
  /// (B, D) when the request needs a gradient, otherwise nothing.
  std::vector<float> submit(
      const request& asked, view<const float> velocity, view<const float> reference_velocity = {}) {
    detail::check_optional_size("reference_velocity", velocity.size(), reference_velocity.size());
    std::vector<float> d_velocity(asked.needs_gradient ? velocity.size() : 0);
    detail::check(mixgrpo_trainer_submit(
        get(), velocity.data(), detail::pointer(reference_velocity), velocity.size(),
        asked.needs_gradient ? d_velocity.data() : nullptr, d_velocity.size()));
    return d_velocity;
  }
  /// Answers an optimizer step: the norm of all gradients before the clip, and the rate.
  void submit_step(double gradient_norm, double learning_rate) {
    detail::check(mixgrpo_trainer_submit_step(get(), gradient_norm, learning_rate));
  }
  /// Makes this trainer one of `rank_count` processes that train one model together; see mixgrpo_trainer_set_rank.
  void set_rank(std::int32_t rank, std::int32_t rank_count) {
    detail::check(mixgrpo_trainer_set_rank(get(), rank, rank_count));
    join(rank, rank_count);
  }
  /// The figures of this rank, after MIXGRPO_REQUEST_KIND_COMBINE_FIGURES.
  std::vector<double> figures() const {
    return detail::read_values<double>(MIXGRPO_FIGURE_COUNT, mixgrpo_trainer_get_figures, get());
  }
  /// Answers that request with the figures of all ranks, one after the other.
  void submit_figures(const std::vector<double>& all) {
    detail::check(mixgrpo_trainer_submit_figures(get(), all.data(), all.size()));
  }
  /// Reports that a request could not be answered. True when the host continues with `next`, which undoes the work or follows
  /// the fault policy; false when no work was begun.
  bool fail(mixgrpo_status status, const std::string& message) {
    return mixgrpo_trainer_fail(get(), status, message.c_str()) == MIXGRPO_STATUS_OK;
  }
  /// Answers with `answer`, a void(const request&) that may throw, until nothing is left. Throws the error that ended the
  /// work, once all is undone.
  template <typename Answer>
  void run(Answer&& answer) {
    std::exception_ptr foreign;  // what `answer` threw that is no error of the library
    for (;;) {
      bool goes_on = false;
      std::exception_ptr failure;
      try {
        const request asked = next();
        if (!asked) return;
        answer(asked);
        continue;
      } catch (const error& thrown) {
        failure = std::current_exception();
        goes_on = fail(thrown.status(), thrown.what());
      } catch (const std::exception& thrown) {
        failure = foreign = std::current_exception();
        goes_on = fail(MIXGRPO_STATUS_INTERNAL, thrown.what());
      } catch (...) {
        failure = foreign = std::current_exception();
        goes_on = fail(MIXGRPO_STATUS_INTERNAL, "an exception of the host");
      }
      if (!goes_on) std::rethrow_exception(foreign ? foreign : failure);
    }
  }

  /// The latest samples: (P, G, D) of a rollout, (P, S, D) of deterministic samples.
  std::vector<float> samples() const { return ticketed().samples; }
  /// The latest samples with their ticket, 0 for none.
  ticketed_samples ticketed() const {
    ticketed_samples result{0, std::vector<float>(drawn_)};
    detail::check(mixgrpo_trainer_get_samples(get(), result.samples.data(), result.samples.size(), &result.ticket));
    return result;
  }

  /// What the host saves in its own checkpoint beside weights and optimizer: one line of JSON.
  std::string progress() const { return detail::read_text(mixgrpo_trainer_get_progress, get()); }
  /// Continues where the progress was taken. Nothing is changed when it throws.
  void set_progress(const std::string& json) { detail::check(mixgrpo_trainer_set_progress(get(), detail::text("json", json))); }

 private:
  friend class evaluation;
  std::int32_t group_size_;
  std::size_t latent_size_;
  std::size_t drawn_ = 0;
};

/// What a host_trainer must know about the model: fill in prompt_count and latent_size.
inline mixgrpo_host_config make_host_config() { return detail::defaults(mixgrpo_host_config_init); }

// --------------------------------------------------------------------------------------------------------- evaluation

/// One reward that evaluations are scored with.
struct evaluation_reward {
  std::string name;
  double weight = 1;      // in the score that decides which evaluation is the best
  bool held_out = false;  // training does not see it
};

/// When a model is evaluated: every 10 iterations, without a watchdog.
inline mixgrpo_evaluation_config make_evaluation_config() { return detail::defaults(mixgrpo_evaluation_config_init); }

/// Regular evaluations of a model in training; keeps the best weights and watches for reward hacking.
class evaluation : public detail::object<mixgrpo_evaluation, mixgrpo_evaluation_destroy> {
 public:
  evaluation(
      const mixgrpo_evaluation_config& config, const mixgrpo_sample_config& sample,
      view<const std::int32_t> prompt_indices, view<const evaluation_reward> rewards)
      : object(
            nullptr,
            [&](mixgrpo_evaluation** out) {
              std::vector<const char*> names;
              std::vector<double> weights;
              std::vector<std::uint8_t> held_out;
              for (const evaluation_reward& reward : rewards) {
                names.push_back(detail::text("reward_names", reward.name));
                weights.push_back(reward.weight);
                held_out.push_back(reward.held_out ? 1 : 0);
              }
              return mixgrpo_evaluation_create(
                  &config, &sample, prompt_indices.data(), prompt_indices.size(), names.data(), weights.data(),
                  held_out.data(), names.size(), out);
            }),
        reward_count_(rewards.size()),
        sample_count_(detail::product(prompt_indices.size(), sample.samples_per_prompt)),
        prompts_(prompt_indices.size()) {}

  /// Whether an iteration that is about to be trained must be evaluated first.
  bool is_due(std::int64_t iteration) const noexcept { return mixgrpo_evaluation_is_due(get(), iteration) != 0; }

  /// Draws the samples (P, S, N, C), from the same noise each time.
  std::vector<float> sample(trainer& trainer) {
    return detail::read_values<float>(
        detail::product(sample_count_, trainer.latent_size()), mixgrpo_evaluation_sample, get(), trainer.get());
  }

  /// Begins to draw the samples with a model that the host owns; then host_trainer::run and samples.
  void begin_sample(host_trainer& trainer) const {
    detail::check(mixgrpo_evaluation_begin_sample(get(), trainer.get()));
    const std::size_t of_a_prompt = prompts_ == 0 ? 0 : sample_count_ / prompts_;
    trainer.drawn_ = detail::product(trainer.share(prompts_), of_a_prompt, trainer.latent_size_);
  }

  /// Submits the scores (K, P, S). The message is valid until the next submit.
  mixgrpo_evaluation_result submit(std::int64_t iteration, view<const double> scores) {
    return detail::read_struct<mixgrpo_evaluation_result>(
        mixgrpo_evaluation_submit, get(), iteration, scores.data(), scores.size());
  }

  /// The mean of each reward (K) in the latest evaluation.
  std::vector<double> means() const {
    return detail::read_values<double>(reward_count_, mixgrpo_evaluation_get_means, get());
  }

  /// The trainer's iteration at the latest evaluation, also after restore; -1 before the first.
  std::int64_t latest_iteration() const {
    std::int64_t iteration = -1;
    detail::check(mixgrpo_evaluation_get_verdict(get(), &iteration, nullptr));
    return iteration;
  }

  /// The watchdog's last verdict. After restore it is judged by the present watchdog settings, so that a stopped run is not resumed
  /// by mistake. CONTINUE before the first evaluation.
  mixgrpo_verdict verdict() const {
    mixgrpo_verdict verdict = MIXGRPO_VERDICT_CONTINUE;
    detail::check(mixgrpo_evaluation_get_verdict(get(), nullptr, &verdict));
    return verdict;
  }

  /// Copies the best weights into a model of the same sizes, or saves them in a folder.
  void get_best(model& model) const { detail::check(mixgrpo_evaluation_get_best(get(), model.get())); }
  void save_best(const std::string& folder, mixgrpo_storage storage = MIXGRPO_STORAGE_F32) const {
    detail::check(mixgrpo_evaluation_save_best(get(), detail::text("folder", folder), storage));
  }

  void save(const std::string& folder) const {
    detail::check(mixgrpo_evaluation_save(get(), detail::text("folder", folder)));
  }
  void restore(const std::string& folder) {
    detail::check(mixgrpo_evaluation_restore(get(), detail::text("folder", folder)));
  }

 private:
  std::size_t reward_count_;
  std::size_t sample_count_;
  std::size_t prompts_;
};

// --------------------------------------------------------------------------------------------------- stateless pieces

/// steps + 1 noise levels from 1 to 0.
inline std::vector<double> time_grid(std::int32_t steps, double shift, std::int32_t image_tokens = 0) {
  return detail::read_values<double>(detail::product(steps) + 1, mixgrpo_time_grid, steps, shift, image_tokens);
}

inline mixgrpo_step stochastic_step(mixgrpo_dynamics dynamics, double noise_level, double sigma, double next_sigma) {
  return detail::read_struct<mixgrpo_step>(mixgrpo_stochastic_step, dynamics, noise_level, sigma, next_sigma);
}

inline mixgrpo_step deterministic_step(mixgrpo_solver solver, view<const double> sigmas, std::size_t index) {
  return detail::read_struct<mixgrpo_step>(mixgrpo_deterministic_step, solver, sigmas.data(), sigmas.size(), index);
}

/// Log-probabilities (B) of a stochastic step. `latents`, `velocity`, `next_latents`: (B, D).
inline std::vector<double> step_log_probability(
    const mixgrpo_step& step, mixgrpo_log_probability form, view<const float> latents, view<const float> velocity,
    view<const float> next_latents, std::size_t count) {
  if (count == 0 || latents.size() % count != 0)
    detail::refuse("count", "a divisor of latents' " + std::to_string(latents.size()) + " values", std::to_string(count));
  detail::check_size("velocity", latents.size(), velocity.size());
  detail::check_size("next_latents", latents.size(), next_latents.size());
  return detail::read_values<double>(
      count, mixgrpo_step_log_probability, &step, form, latents.data(), velocity.data(), next_latents.data(), count,
      latents.size() / count);
}

struct policy_loss_result {
  double loss = 0;
  std::vector<double> ratios;     // (B)
  std::vector<float> d_velocity;  // (B, D), dL/dvelocity
};

/// Clipped policy loss of one stochastic step, and its gradient. B is the number of advantages; `reference_velocity` may be
/// empty without kl_reference.
inline policy_loss_result policy_loss(
    const mixgrpo_learning_config& config, const mixgrpo_step& step, mixgrpo_log_probability form,
    view<const float> latents, view<const float> velocity, view<const float> next_latents,
    view<const double> old_log_probabilities, view<const double> advantages, view<const float> reference_velocity = {}) {
  const std::size_t count = advantages.size();
  if (count == 0 || latents.size() % count != 0)
    detail::refuse(
        "advantages", "a divisor of latents' " + std::to_string(latents.size()) + " values", std::to_string(count));
  detail::check_size("velocity", latents.size(), velocity.size());
  detail::check_size("next_latents", latents.size(), next_latents.size());
  detail::check_size("old_log_probabilities", count, old_log_probabilities.size());
  detail::check_optional_size("reference_velocity", latents.size(), reference_velocity.size());
  policy_loss_result result{0, std::vector<double>(count), std::vector<float>(latents.size())};
  detail::check(mixgrpo_policy_loss(
      &config, &step, form, latents.data(), velocity.data(), next_latents.data(), detail::pointer(reference_velocity),
      old_log_probabilities.data(), advantages.data(), count, latents.size() / count, &result.loss, result.ratios.data(),
      count, result.d_velocity.data(), result.d_velocity.size()));
  return result;
}

/// Standard normal values that depend only on (seed, stream, index).
inline std::vector<float> normal_noise(
    std::uint64_t seed, std::uint64_t stream, std::uint64_t index, std::size_t count) {
  return detail::read_values<float>(count, mixgrpo_normal_noise, seed, stream, index);
}

// ------------------------------------------------------------------------------------------------ pixels, images, PNG

/// Latents (B, N, C) to pixels (B, height, width, 3), and back.
inline std::vector<std::uint8_t> pixels_decode(
    view<const float> latents, std::size_t image_count, std::int32_t height, std::int32_t width, std::int32_t patch) {
  return detail::read_values<std::uint8_t>(
      latents.size(), mixgrpo_pixels_decode, latents.data(), latents.size(), image_count, height, width, patch);
}
inline std::vector<float> pixels_encode(
    view<const std::uint8_t> pixels, std::size_t image_count, std::int32_t height, std::int32_t width,
    std::int32_t patch) {
  return detail::read_values<float>(
      pixels.size(), mixgrpo_pixels_encode, pixels.data(), pixels.size(), image_count, height, width, patch);
}

/// One text entry of an image, UTF-8.
struct image_text {
  std::string key;
  std::string value;
};

/// An 8-bit RGB image with text entries.
class image : public detail::object<mixgrpo_image, mixgrpo_image_destroy> {
 public:
  /// Copies pixels (height, width, 3).
  image(view<const std::uint8_t> pixels, std::int32_t width, std::int32_t height)
      : object(nullptr, mixgrpo_image_create, pixels.data(), pixels.size(), width, height) {}

  /// A grid of `image_count` images of one size, (B, height, width, 3), with `gap` white pixels between neighbours.
  static image grid(
      view<const std::uint8_t> pixels, std::size_t image_count, std::int32_t width, std::int32_t height,
      std::int32_t columns, std::int32_t gap = 0, std::int32_t scale = 1) {
    return image(
        nullptr, mixgrpo_image_create_grid, pixels.data(), pixels.size(), image_count, width, height, columns, gap, scale);
  }

  /// Reads a PNG from memory, or from a file.
  static image decode(view<const std::uint8_t> png) {
    return image(nullptr, mixgrpo_image_decode, png.data(), png.size());
  }
  static image load(const std::string& path) {
    return image(nullptr, mixgrpo_image_load, detail::text("path", path));
  }

  std::int32_t width() const { return info().width; }
  std::int32_t height() const { return info().height; }

  /// (height, width, 3).
  std::vector<std::uint8_t> pixels() const {
    const mixgrpo_image_info size = info();
    return detail::read_values<std::uint8_t>(
        detail::product(size.height, size.width, 3), mixgrpo_image_get_pixels, get());
  }

  std::vector<image_text> texts() const {
    std::vector<image_text> result(static_cast<std::size_t>(info().text_count));
    for (std::size_t i = 0; i < result.size(); i++) {
      mixgrpo_text entry{};
      detail::check(mixgrpo_image_get_text(get(), i, &entry));
      result[i] = {entry.key, entry.value};
    }
    return result;
  }

  /// Replaces all text entries.
  void set_texts(view<const image_text> texts) {
    std::vector<mixgrpo_text> entries;
    for (const image_text& entry : texts)
      entries.push_back({detail::text("key", entry.key), detail::text("value", entry.value)});
    detail::check(mixgrpo_image_set_texts(get(), entries.data(), entries.size()));
  }

  /// Writes a PNG with its text entries, to memory, or to a file.
  std::vector<std::uint8_t> encode() const {
    return detail::read_all<std::vector<std::uint8_t>>(mixgrpo_image_encode, get());
  }
  void save(const std::string& path) const { detail::check(mixgrpo_image_save(get(), detail::text("path", path))); }

 private:
  using object::object;

  mixgrpo_image_info info() const {
    return detail::read_struct<mixgrpo_image_info>(mixgrpo_image_get_info, get());
  }
};

}  // namespace mixgrpo

#endif
