# ruby examples/runtimes/quickstart.rb examples/base
require "fiddle/import"

module Mix # the functions, structs and constants of the header, read from it
  extend Fiddle::Importer
  dlload ENV.fetch("MIXGRPO_LIBRARY", ".build/release/libmixgrpo.so")
  HEADER = File.read("include/mixgrpo.h").gsub(%r{/\*.*?\*/}m, "")
  HEADER.scan(/^typedef (int32_t) (\w+);/) { |type, name| typealias name, type }
  HEADER.scan(/^typedef void \(\*(\w+)\)/) { |(callback)| typealias callback, "void*" }
  HEADER.scan(/^  (MIXGRPO_\w+) = (-?\d+)/) { |name, value| const_set name, value.to_i }
  HEADER.scan(/^(?!typedef)[\w ]+[ *]\w+\([^;{}]*\);/) { |function| extern function.delete_suffix(";") }

  def self.zeroed(name) # a struct with its struct_size
    fields = HEADER[/^typedef struct #{name} \{(.*?)\}/m, 1].split(";").map { |field| field.split.join(" ") }
    type = struct(fields.reject(&:empty?))
    type.malloc(Fiddle::RUBY_FREE).tap { |made| made.to_ptr[0, type.size] = [type.size].pack("L").ljust(type.size, "\0") }
  end

  def self.check(status)
    raise mixgrpo_last_error.to_s unless status == MIXGRPO_STATUS_OK
  end

  def self.create(kind, *arguments) # the handle that mixgrpo_<kind> writes to its last argument
    out = Fiddle::Pointer.malloc(Fiddle::SIZEOF_VOIDP, Fiddle::RUBY_FREE)
    check send("mixgrpo_#{kind}", *arguments, out)
    out.ptr
  end
end

PROMPTS, GROUP, VALUES = 2, 12, 64 * 48 # 32 × 32 pixels as 64 tokens of 48 values
IMAGES = PROMPTS * GROUP
samples = Fiddle::Pointer.malloc(IMAGES * VALUES * Fiddle::SIZEOF_FLOAT, Fiddle::RUBY_FREE)
pixels = Fiddle::Pointer.malloc(IMAGES * VALUES, Fiddle::RUBY_FREE)
darkness = ->(image) { 1 - image.sum / (255.0 * VALUES) } # the reward: any code of yours, nothing need be differentiable

context = Mix.create("context_create", 0) # one thread per core
model = Mix.create("model_load", context, ARGV[0] || "examples/base")
lines = ["a red circle at the left", "a blue square in the middle"].pack("p*")
prompts = Mix.create("prompts_create_hashed_words", context, lines, PROMPTS, 16, 64, 64)
geometry, sampling, learning = %w[evaluator sampling learning].map { |kind| Mix.zeroed("mixgrpo_#{kind}_config") }
Mix.check Mix.mixgrpo_evaluator_config_init(geometry, geometry.struct_size) # 8 × 8 image tokens
geometry.text_length = 16
evaluator = Mix.create("evaluator_create", model, geometry, nil, 0)
Mix.check Mix.mixgrpo_config_init(sampling, sampling.struct_size, learning, learning.struct_size) # the paper's MixGRPO
sampling.steps, sampling.group_size, learning.learning_rate = 12, GROUP, 2e-5
plan = Mix.create("plan_create", sampling, nil, 0)
trainer = Mix.create("trainer_create", evaluator, prompts, plan, learning, ["darkness"].pack("p"), 1, 0)

progress = Mix.bind("void progress(void *user_data, void *progress)") do |_, at| # a callback; the variable keeps it alive
  done, total = at[8, 16].unpack("q2")
  $stderr.printf "\r%3d %%", 100 * done / total
end
Mix.check Mix.mixgrpo_context_set_progress(context, progress, nil)

metrics = Mix.zeroed("mixgrpo_metrics")
(ARGV[1] || 20).to_i.times do |iteration|
  Mix.check Mix.mixgrpo_trainer_rollout(trainer, [0, 1].pack("l*"), PROMPTS, samples, IMAGES * VALUES)
  Mix.check Mix.mixgrpo_pixels_decode(samples, IMAGES * VALUES, IMAGES, 32, 32, 4, pixels, IMAGES * VALUES)
  rewards = pixels[0, IMAGES * VALUES].bytes.each_slice(VALUES).map(&darkness)
  Mix.check Mix.mixgrpo_trainer_update(trainer, rewards.pack("d*"), IMAGES, nil, 0, metrics)
  puts format("iteration %d: darkness %.3f", iteration, metrics.reward_mean)
end
Mix.check Mix.mixgrpo_model_save(model, "aligned", Mix::MIXGRPO_STORAGE_BF16) # a diffusers folder
