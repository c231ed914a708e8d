/*
 * mixgrpo.h: align flow-matching image models with any reward, inside the host's own process.
 *
 * The library samples groups of images with a mixed ODE/SDE sampler, takes the host's rewards and updates the model with
 * GRPO (MixGRPO, arXiv 2507.21802, "Mix" below). This header is the contract and the manual. Its sections stand in the
 * order of the data: version, status and errors -> context -> model -> prompts -> evaluator -> settings -> plan ->
 * rollout -> advantages -> update -> optimizer -> trainer -> deterministic samples -> evaluation -> stateless pieces ->
 * pixels and PNG.
 *
 * THE CONVENIENT WAY: a trainer with the built-in flow transformer; the host only scores.
 *
 *     mixgrpo_context_create(0, &context);                                     // 0: one thread per core
 *     mixgrpo_model_load(context, "base", &model);
 *     mixgrpo_prompts_create_hashed_words(context, lines, 8, 16, 64, 64, &prompts);
 *     mixgrpo_evaluator_config_init(&geometry, sizeof geometry);
 *     geometry.height_tokens = geometry.width_tokens = 8;                      // N = 64 image tokens
 *     mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator);
 *     mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning);
 *     mixgrpo_plan_create(&sampling, NULL, 0, &plan);
 *     mixgrpo_trainer_create(evaluator, prompts, plan, &learning, names, 1, 0, &trainer);
 *     for (int i = 0; i < 100; i++) {
 *       mixgrpo_trainer_rollout(trainer, chosen, 4, samples, sample_values);   // (4, group_size, N, C) floats
 *       my_score(samples, rewards);                                            // (1, 4, group_size) doubles
 *       mixgrpo_trainer_update(trainer, rewards, reward_count, NULL, 0, &metrics);
 *     }
 *     mixgrpo_model_save(model, "aligned", MIXGRPO_STORAGE_BF16);
 *
 * THE OPEN WAY: the host owns the model (any framework, any device); the library asks and is answered.
 *
 *     mixgrpo_rollout_create(context, plan, &which, chosen, 4, NULL, 0, &rollout);
 *     request.struct_size = sizeof request;
 *     while (mixgrpo_rollout_next(rollout, &request) == MIXGRPO_STATUS_OK && request.kind == MIXGRPO_REQUEST_KIND_EVALUATE) {
 *       my_velocity(request.latents, request.sigmas, request.prompt_index, request.count, velocity);
 *       mixgrpo_rollout_submit(rollout, velocity, request.count * request.latent_size);
 *     }
 *     mixgrpo_rollout_get_samples(rollout, samples, sample_values);
 *     my_score(samples, rewards);
 *     mixgrpo_advantages(&learning, rewards, 1, 4, group_size, NULL, 0, advantages, included, group_count, &report);
 *     mixgrpo_update_create(rollout, &learning, advantages, included, group_count, 0, &update);
 *     while (mixgrpo_update_next(update, &request) == MIXGRPO_STATUS_OK && request.kind != MIXGRPO_REQUEST_KIND_FINISHED) {
 *       if (request.kind == MIXGRPO_REQUEST_KIND_EVALUATE) {
 *         my_velocity(request.latents, request.sigmas, request.prompt_index, request.count, velocity);
 *         mixgrpo_update_submit(update, velocity, NULL, request.count * request.latent_size, dv, dv_capacity);
 *         my_backward(dv);                                                     // dv = dL/dvelocity: accumulate
 *       } else {
 *         my_optimizer_step();                                                 // MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP
 *       }
 *     }
 *
 * RULES THAT HOLD FOR EVERY FUNCTION
 *
 * Status.     A fallible call returns a mixgrpo_status. On failure its outputs are untouched, the objects are as they were
 *             before the call, and mixgrpo_last_error() names the field, what was expected and what came. Only what differs
 *             from this or is particular to a function is listed under its "Errors".
 * Arguments.  NULL or a misaligned pointer where one is needed, a size that does not fit, a float that is NaN or infinite:
 *             MIXGRPO_STATUS_INVALID_ARGUMENT. A buffer smaller than what would be written:
 *             MIXGRPO_STATUS_BUFFER_TOO_SMALL. Memory that cannot be had: MIXGRPO_STATUS_OUT_OF_MEMORY.
 * Buffers.    The caller owns every buffer. Sizes and capacities count elements (floats, doubles, bytes), not bytes of
 *             memory. The library keeps no pointer of the caller after return, but for the user_data of callbacks. Input and
 *             output buffers of one call must not overlap. A function that writes `out_size` and is given no buffer (NULL,
 *             capacity 0) succeeds and only tells the size; sizes of strings include the terminating zero.
 * Structs.    Every struct begins with struct_size. Configurations are filled by their _init call, which is given
 *             sizeof(the struct); for results the caller sets struct_size = sizeof(the struct) before the call. Structs grow
 *             at their end only, and a host compiled before that is served: what its shorter configuration lacks has the
 *             default, and no byte beyond its shorter result is written. Any other struct_size, also that of a header newer
 *             than the library, is INVALID_ARGUMENT. Reserved fields must be 0. Flags are 0 or 1.
 * Handles.    _create, _load and the like give one reference that _destroy takes back; _destroy accepts NULL. What an object
 *             is built from stays alive inside it, so handles may be destroyed in any order. A handle's value is never given
 *             out twice in a process: one that was destroyed, or is of another kind, is INVALID_ARGUMENT wherever it is
 *             passed (destroying it again does nothing).
 * Threads.    A call that takes a const handle may run on many threads at once; other calls on one handle are exclusive, and
 *             so are calls that change a model (all evaluators, optimizers and trainers of that model count as that model).
 *             Different handles are independent. There is no process-wide state that a host can see. Results do not depend
 *             on the number of threads, to the last bit.
 * Silence.    The library prints nothing and never ends the process.
 *
 * SYMBOLS used for shapes, row-major, last dimension fastest: B latents in a batch; N image tokens; C channels of a token;
 * D = N*C values of one latent; L text tokens; J text width; Q pooled width; P prompts in a rollout; G members of a group;
 * T steps; w window length; K rewards; sigma in [0, 1] the noise level, 1 pure noise and 0 data.
 */
#ifndef MIXGRPO_H
#define MIXGRPO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ================================================================================================================== */
/* Version                                                                                                            */
/* ================================================================================================================== */

/* The release this header belongs to. */
#define MIXGRPO_VERSION_MAJOR 0
#define MIXGRPO_VERSION_MINOR 1
#define MIXGRPO_VERSION_PATCH 0

/* The binary interface this header describes. It changes only when an existing program would have to be rebuilt. */
#define MIXGRPO_ABI_VERSION 1

/* The binary interface of the loaded library; a host compares it with MIXGRPO_ABI_VERSION. Any thread. */
uint32_t mixgrpo_abi_version(void);

/* The release of the loaded library, such as "0.1.0". Static. Any thread. */
const char *mixgrpo_version(void);

/* ================================================================================================================== */
/* Status and errors                                                                                                  */
/* ================================================================================================================== */

/* 0: done. Negative: an error. Positive: stopped at the host's request. The values are pinned. */
typedef int32_t mixgrpo_status;
enum {
  MIXGRPO_STATUS_OK = 0,
  MIXGRPO_STATUS_CANCELLED = 1,               /* the context was cancelled; everything is as before the call (see MIXGRPO_UNDO_NONE) */
  MIXGRPO_STATUS_INVALID_ARGUMENT = -1, /* a value out of its range, of the wrong size, NULL, or not finite */
  MIXGRPO_STATUS_INVALID_STATE = -2,    /* the call does not fit what came before, such as a submit without a request */
  MIXGRPO_STATUS_BUFFER_TOO_SMALL = -3, /* a caller's buffer is smaller than what would be written */
  MIXGRPO_STATUS_OUT_OF_MEMORY = -4,
  MIXGRPO_STATUS_INPUT_OUTPUT = -5,     /* the operating system refused to read or write */
  MIXGRPO_STATUS_INVALID_FORMAT = -6,   /* a file's content is not what its format demands */
  MIXGRPO_STATUS_UNSUPPORTED = -7,      /* a valid request that this build or machine cannot serve */
  MIXGRPO_STATUS_NOT_FINITE = -8,       /* a result would be NaN or infinite; it was not applied */
  MIXGRPO_STATUS_INTERNAL = -9,         /* a fault of the library itself */
  MIXGRPO_STATUS_DIVERGED = -10         /* an update would take the model too far from what it was; it was not applied */
};

/* The name of a status, such as "invalid_argument"; "unknown" for a number that is none. Static, never NULL. Any thread. */
const char *mixgrpo_status_name(mixgrpo_status status);

/* One line on the latest call of this thread that returned anything but MIXGRPO_STATUS_OK: field, expected, got; when several
 * fields of a configuration are wrong, all of them, separated by "; ". Never NULL; "" if there was none. The text belongs
 * to the library and is valid until the next such call on this thread. */
const char *mixgrpo_last_error(void);

/* ================================================================================================================== */
/* Context: threads, log, progress, cancel                                                                            */
/* ================================================================================================================== */

/* How long work runs and how its host hears of it. What is created with a context keeps it alive. */
typedef struct mixgrpo_context mixgrpo_context;

typedef int32_t mixgrpo_log_level;
enum { MIXGRPO_LOG_LEVEL_INFO = 0, MIXGRPO_LOG_LEVEL_WARNING = 1 };

/* `message` is valid during the call. */
typedef void (*mixgrpo_log_callback)(void *user_data, mixgrpo_log_level level, const char *message);

typedef int32_t mixgrpo_stage;
enum { MIXGRPO_STAGE_ROLLOUT = 0, MIXGRPO_STAGE_UPDATE = 1, MIXGRPO_STAGE_SAMPLE = 2 };

/* How far a call with the built-in model is. */
typedef struct mixgrpo_progress {
  uint32_t struct_size;
  mixgrpo_stage stage;
  int64_t done;  /* latents evaluated in this call so far */
  int64_t total; /* latents this call will evaluate, if no sample is left out */
} mixgrpo_progress;

/* `progress` is valid during the call. */
typedef void (*mixgrpo_progress_callback)(void *user_data, const mixgrpo_progress *progress);

/* Creates a context. `threads`: worker threads, 0 (one per available core) or 1...1024; more threads than cores are
 * allowed and only cost time.
 * Errors: UNSUPPORTED when the processor lacks the instructions the library is built for (on x86-64 AVX2 and FMA, or
 * AVX-512). */
mixgrpo_status mixgrpo_context_create(int32_t threads, mixgrpo_context **out_context);
void mixgrpo_context_destroy(mixgrpo_context *context);

/* The number of worker threads in use, 0 for NULL. */
int32_t mixgrpo_context_threads(const mixgrpo_context *context);

/* Sets the receivers of log lines and of progress; NULL (the default) for silence. Callbacks run on the thread that called
 * the library, never on a worker, and must return; of the library they may call mixgrpo_context_cancel and functions on
 * unrelated handles. `user_data` is handed back as it is and must stay valid until replaced or until the context and all
 * that was created with it are destroyed. */
mixgrpo_status mixgrpo_context_set_log(mixgrpo_context *context, mixgrpo_log_callback callback, void *user_data);
mixgrpo_status mixgrpo_context_set_progress(
    mixgrpo_context *context, mixgrpo_progress_callback callback, void *user_data);

/* Stops rollouts, updates and sampling of this context within one model call: they return MIXGRPO_STATUS_CANCELLED, with their
 * objects as before the call (but see MIXGRPO_UNDO_NONE). Sticky: calls that begin later stop too, until
 * mixgrpo_context_reset_cancel. Both may be called from any thread at any time, the first also from a signal handler. */
mixgrpo_status mixgrpo_context_cancel(const mixgrpo_context *context);
mixgrpo_status mixgrpo_context_reset_cancel(const mixgrpo_context *context);

/* 1 while cancelled, otherwise (and for NULL) 0. Any thread. */
int32_t mixgrpo_context_is_cancelled(const mixgrpo_context *context);

/* ================================================================================================================== */
/* Model: the built-in flow transformer                                                                               */
/* ================================================================================================================== */

/* The FLUX transformer (FluxTransformer2DModel in diffusers), float32, with gradients. Weight names, shapes and files are
 * those of the diffusers checkpoint, so that a folder moves both ways without conversion. */
typedef struct mixgrpo_model mixgrpo_model;

/* The sizes of a model; the names are those of diffusers' config.json. */
typedef struct mixgrpo_model_config {
  uint32_t struct_size;
  int32_t in_channels;           /* C, channels of an image token. Default 48, 1...65536 */
  int32_t out_channels;          /* channels of the velocity; a model that is sampled from has in_channels. Default 48 */
  int32_t num_layers;            /* double-stream blocks. Default 2, 0...1000 */
  int32_t num_single_layers;     /* single-stream blocks. Default 4, 0...1000 */
  int32_t attention_head_dim;    /* the sum of axes_dims_rope. Default 32, 2...4096 */
  int32_t num_attention_heads;   /* d = heads * head dim is at most 65536. Default 4, 1...1024 */
  int32_t joint_attention_dim;   /* J, width of a text token. Default 64, 1...65536 */
  int32_t pooled_projection_dim; /* Q, width of the pooled text. Default 64, 1...65536 */
  int32_t guidance_embeds;       /* flag: the model takes a guidance value. Default 0 */
  int32_t axes_dims_rope[3];     /* rotary dimensions of the three position axes, each even. Default 4, 14, 14 */
  int32_t reserved;              /* 0 */
} mixgrpo_model_config;

/* One weight tensor of a model. */
typedef struct mixgrpo_parameter_info {
  uint32_t struct_size;
  int32_t rank;     /* 1 or 2 */
  int64_t shape[2]; /* (out, in) of a matrix as in the checkpoint; the second is 1 for rank 1 */
  uint64_t offset;  /* of its first value in the flat vector of all weights */
  uint64_t count;   /* number of values */
  const char *name; /* the checkpoint's name; belongs to the model and lives as long as the model */
} mixgrpo_parameter_info;

typedef int32_t mixgrpo_storage;
enum { MIXGRPO_STORAGE_F32 = 0, MIXGRPO_STORAGE_BF16 = 1 };

/* Fills the defaults given above. `struct_size`: sizeof(mixgrpo_model_config). */
mixgrpo_status mixgrpo_model_config_init(mixgrpo_model_config *out_config, size_t struct_size);

/* Reads `folder`/config.json alone. `out_config`: struct_size set.
 * Errors: INPUT_OUTPUT; INVALID_FORMAT; UNSUPPORTED for another class or a patch size other than 1. */
mixgrpo_status mixgrpo_model_config_load(const char *folder, mixgrpo_model_config *out_config);

/* Creates a model with random weights, drawn from `seed` alone; modulations and the output layer are 0, so
 * that every block starts as the identity. */
mixgrpo_status mixgrpo_model_create(
    const mixgrpo_context *context, const mixgrpo_model_config *config, uint64_t seed, mixgrpo_model **out_model);

/* Loads a diffusers folder: config.json with diffusion_pytorch_model.safetensors, or with its shards and
 * diffusion_pytorch_model.safetensors.index.json; F32, F16 and BF16 values.
 * Errors: INPUT_OUTPUT; INVALID_FORMAT for a truncated or contradictory file, a missing or surplus tensor, a shape that
 * does not follow from the configuration; NOT_FINITE for a NaN or infinite weight; UNSUPPORTED as above. */
mixgrpo_status mixgrpo_model_load(const mixgrpo_context *context, const char *folder, mixgrpo_model **out_model);

/* Writes a diffusers folder, created if need be (its parent must exist). Each file is written aside and renamed, so that a
 * crash leaves the old file or the new. Errors: INPUT_OUTPUT. */
mixgrpo_status mixgrpo_model_save(const mixgrpo_model *model, const char *folder, mixgrpo_storage storage);

/* An independent copy of the weights (gradients are not copied), for a frozen reference. */
mixgrpo_status mixgrpo_model_copy(const mixgrpo_model *model, mixgrpo_model **out_copy);
void mixgrpo_model_destroy(mixgrpo_model *model);

/* The model's sizes. `out_config`: struct_size set. */
mixgrpo_status mixgrpo_model_get_config(const mixgrpo_model *model, mixgrpo_model_config *out_config);

/* The number of weight tensors and of weights. Either output may be NULL. */
mixgrpo_status mixgrpo_model_get_size(const mixgrpo_model *model, size_t *out_tensors, size_t *out_values);

/* Describes weight tensor `index`, 0...tensors - 1, in the order of the flat vector, where the next one begins at
 * offset + count. `out_info`: struct_size set. */
mixgrpo_status mixgrpo_model_get_parameter(
    const mixgrpo_model *model, size_t index, mixgrpo_parameter_info *out_info);

/* The index of the weight tensor with this checkpoint name. Errors: INVALID_ARGUMENT when there is none. */
mixgrpo_status mixgrpo_model_find_parameter(const mixgrpo_model *model, const char *name, size_t *out_index);

/* Read or write `count` values of the flat vector of all weights (or of their gradients) from `offset` on. One tensor is
 * the range that its mixgrpo_parameter_info names; all of them are (0, values). The vector's order is that of
 * mixgrpo_model_get_parameter. Gradients are 0 until a backward adds to them.
 * Errors: INVALID_ARGUMENT when the range ends beyond the vector or a written value is not finite (nothing is written). */
mixgrpo_status mixgrpo_model_get_weights(
    const mixgrpo_model *model, size_t offset, float *out_values, size_t count);
mixgrpo_status mixgrpo_model_set_weights(
    mixgrpo_model *model, size_t offset, const float *values, size_t count);
mixgrpo_status mixgrpo_model_get_gradients(
    const mixgrpo_model *model, size_t offset, float *out_values, size_t count);
mixgrpo_status mixgrpo_model_set_gradients(
    mixgrpo_model *model, size_t offset, const float *values, size_t count);

/* Sets all gradients to 0. */
mixgrpo_status mixgrpo_model_zero_gradients(mixgrpo_model *model);

/* ================================================================================================================== */
/* Prompts: text embeddings for the built-in model                                                                    */
/* ================================================================================================================== */

/* The text embeddings of all prompts of a run; elsewhere a prompt is its index in here. Immutable. */
typedef struct mixgrpo_prompts mixgrpo_prompts;

/* Copies the embeddings in. `text`: (prompt_count, text_length, text_width); `pooled`: (prompt_count, pooled_width). The
 * counts are those of the arrays and must agree with the dimensions, each in 1...65536. */
mixgrpo_status mixgrpo_prompts_create(
    const mixgrpo_context *context, const float *text, size_t text_count, const float *pooled, size_t pooled_count,
    int32_t prompt_count, int32_t text_length, int32_t text_width, int32_t pooled_width, mixgrpo_prompts **out_prompts);

/* Encodes UTF-8 prompts by hashing their words: see mixgrpo_hashed_words_encode. */
mixgrpo_status mixgrpo_prompts_create_hashed_words(
    const mixgrpo_context *context, const char *const *prompts, int32_t prompt_count, int32_t text_length,
    int32_t text_width, int32_t pooled_width, mixgrpo_prompts **out_prompts);
void mixgrpo_prompts_destroy(mixgrpo_prompts *prompts);

/* The number of prompts, 0 for NULL. */
int32_t mixgrpo_prompts_count(const mixgrpo_prompts *prompts);

/* A deterministic stand-in for a text encoder, for examples and tests: each word becomes a fixed pseudo-random vector derived
 * from its letters, plus one for its position; the pooled embedding is the scaled sum of its words. It knows which words
 * stand where and nothing of what they mean: models trained with a text encoder need that encoder's embeddings. Words are
 * runs of letters, digits and non-ASCII bytes, in lower case; those after `text_length` have no token, tokens after the last
 * word are 0.
 *   text_length   L, 1...4096;  text_width  J, 1...16384;  pooled_width  Q, 1...16384;  prompt_count  1...65536
 *   out_text      (prompt_count, L, J)
 *   out_pooled    (prompt_count, Q) */
mixgrpo_status mixgrpo_hashed_words_encode(
    const char *const *prompts, int32_t prompt_count, int32_t text_length, int32_t text_width, int32_t pooled_width,
    float *out_text, size_t text_capacity, float *out_pooled, size_t pooled_capacity);

/* ================================================================================================================== */
/* Evaluator: velocity and backward of the built-in model                                                             */
/* ================================================================================================================== */

/* A model made ready for one picture geometry, with its working memory. It does not own the weights: several evaluators
 * may share one model. */
typedef struct mixgrpo_evaluator mixgrpo_evaluator;

typedef struct mixgrpo_evaluator_config {
  uint32_t struct_size;
  int32_t height_tokens;  /* rows of image tokens. Default 8, 1...4096 */
  int32_t width_tokens;   /* columns of image tokens; N = height * width, at most 65536. Default 8 */
  int32_t text_length;    /* L, text tokens of every prompt. Default 16, 1...65536 */
  int32_t max_batch;      /* latents that are evaluated, or can keep their activations, at a time; larger batches without
                             activations are split. Memory grows with it. Default 16, 1...65536 */
  int32_t recompute_activations; /* flag: keep the input of each block alone and compute the block again in the backward:
                                    a fraction of the memory, one forward more, the same bits. Default 0 */
  double guidance;        /* the guidance value given to a model with guidance_embeds. Default 3.5, 0...1000 */
  uint64_t max_bytes;     /* most bytes that model, evaluator and all that training holds may take (the memory that
                             mixgrpo_plan_predict_memory predicts); 0 for no limit. Batches are split to stay within it, which
                             changes no bit of a result. What does not fit even so is refused. Default 0 */
} mixgrpo_evaluator_config;

/* Fills the defaults given above. `struct_size`: sizeof(mixgrpo_evaluator_config). */
mixgrpo_status mixgrpo_evaluator_config_init(mixgrpo_evaluator_config *out_config, size_t struct_size);

/* Creates an evaluator. `image_ids`: positions (N, 3) of the image tokens, or NULL with count 0 for the usual (0, row,
 * column). Works on the context of the model.
 * Errors: OUT_OF_MEMORY when max_bytes is less than the weights and the smallest batch take; the message tells the bytes
 * needed. */
mixgrpo_status mixgrpo_evaluator_create(
    mixgrpo_model *model, const mixgrpo_evaluator_config *config, const float *image_ids, size_t image_id_count,
    mixgrpo_evaluator **out_evaluator);
void mixgrpo_evaluator_destroy(mixgrpo_evaluator *evaluator);

/* The number D = N*C of values in one latent, 0 for NULL. */
size_t mixgrpo_evaluator_latent_size(const mixgrpo_evaluator *evaluator);

/* Evaluates the velocity dx/dsigma at `count` latents (B = count).
 *   latents       (B, N, C)
 *   sigmas        (B), each in [0, 1]
 *   prompt_index  (B), each a prompt of `prompts`
 *   out_velocity  (B, N, C), C the out_channels
 * keep_activations 1 keeps what mixgrpo_evaluator_backward needs, until the next velocity or backward of this evaluator.
 * Errors: INVALID_ARGUMENT when the prompts' length or widths do not fit, or when B is over max_batch and activations are to
 * be kept; NOT_FINITE when a velocity would not be finite. */
mixgrpo_status mixgrpo_evaluator_velocity(
    mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts, const float *latents, const float *sigmas,
    const int32_t *prompt_index, size_t count, int32_t keep_activations, float *out_velocity, size_t velocity_capacity);

/* Runs the backward of the latest velocity, which must have kept its activations: adds dL/dweights to the model's gradients
 * and, unless `out_d_latents` is NULL (capacity 0), writes dL/dlatents (B, N, C).
 * `d_velocity`: dL/dvelocity (B, N, C), `count` = B*N*C values. Changes the model (see Threads above).
 * Errors: INVALID_STATE without kept activations. They are used up by the call. */
mixgrpo_status mixgrpo_evaluator_backward(
    mixgrpo_evaluator *evaluator, const float *d_velocity, size_t count, float *out_d_latents,
    size_t d_latents_capacity);

/* ================================================================================================================== */
/* Settings: how to sample and how to learn                                                                           */
/* ================================================================================================================== */

/* The stochastic step inside the window. */
typedef int32_t mixgrpo_dynamics;
enum {
  MIXGRPO_DYNAMICS_FLOW = 0,  /* Flow-SDE (arXiv 2505.05470): noise g = eta*sqrt(sigma/(1 - sigma)) */
  MIXGRPO_DYNAMICS_DANCE = 1, /* Dance-SDE (arXiv 2505.07818): noise g = eta */
  MIXGRPO_DYNAMICS_CPS = 2    /* coefficient-preserving sampling (arXiv 2509.05952) */
};

/* How the window of stochastic, trained steps moves over the iterations (Mix 3.2). */
typedef int32_t mixgrpo_window_mode;
enum {
  MIXGRPO_WINDOW_MODE_FROZEN = 0,            /* stays at window_start */
  MIXGRPO_WINDOW_MODE_PROGRESSIVE = 1,       /* moves by window_stride after every window_interval iterations */
  MIXGRPO_WINDOW_MODE_LINEAR_DECAY = 2,      /* as progressive; the interval falls linearly to its minimum */
  MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY = 3, /* as progressive; the interval is ceil(interval*exp(-k*max(0, l - l0))) */
  MIXGRPO_WINDOW_MODE_RANDOM = 4,            /* uniform on its range, drawn from seed and iteration alone */
  MIXGRPO_WINDOW_MODE_ALL = 5,               /* every step but the last is stochastic (Flow-GRPO, DanceGRPO) */
  MIXGRPO_WINDOW_MODE_GIVEN = 6,             /* the host gives the window of each iteration */
  MIXGRPO_WINDOW_MODE_ADAPTIVE = 7           /* moves when the reward's gain flattens, see mixgrpo_adaptive_window */
};

/* In place of a window's start: the window that the plan gives the iteration. */
enum { MIXGRPO_WINDOW_START_SCHEDULED = -1 };

typedef int32_t mixgrpo_window_end;
enum { MIXGRPO_WINDOW_END_ROLL_BACK = 0, MIXGRPO_WINDOW_END_STAY = 1 };

/* Which stochastic steps are trained when all are stochastic and trained_fraction < 1. */
typedef int32_t mixgrpo_trained_subset;
enum { MIXGRPO_TRAINED_SUBSET_FIRST = 0, MIXGRPO_TRAINED_SUBSET_RANDOM = 1 };

/* How deterministic steps follow the flow. DPM-Solver++: arXiv 2211.01095. */
typedef int32_t mixgrpo_solver;
enum {
  MIXGRPO_SOLVER_EULER = 0,
  MIXGRPO_SOLVER_DPM_1 = 1,
  MIXGRPO_SOLVER_DPM_2_MIDPOINT = 2,
  MIXGRPO_SOLVER_DPM_2_HEUN = 3,
  MIXGRPO_SOLVER_DPM_3 = 4
};

typedef int32_t mixgrpo_initial_noise;
enum {
  MIXGRPO_INITIAL_NOISE_SHARED = 0, /* all members of a group start from the same noise */
  MIXGRPO_INITIAL_NOISE_OWN = 1
};

/* The number whose difference between new and old policy is the logarithm of the ratio. */
typedef int32_t mixgrpo_log_probability;
enum {
  MIXGRPO_LOG_PROBABILITY_MEAN = 0,     /* log-density per value: mean_D -(x' - mu)^2/(2s^2) - ln s - (1/2)ln(2 pi) */
  MIXGRPO_LOG_PROBABILITY_SUM = 1,      /* the log-density itself: the sum over D */
  MIXGRPO_LOG_PROBABILITY_CPS_PEER = 2, /* -mean_D (x' - mu)^2, with CPS only; not a density */
  MIXGRPO_LOG_PROBABILITY_GUARDED = 3   /* mean_D e*mu with the step's noise e (GRPO-Guard, arXiv 2510.22319) */
};

/* How the model is told a noise level. */
typedef int32_t mixgrpo_sigma_rounding;
enum {
  MIXGRPO_SIGMA_ROUNDING_EXACT = 0,
  MIXGRPO_SIGMA_ROUNDING_THOUSANDTHS = 1 /* floor(1000 sigma)/1000, for models served behind integer timesteps */
};

/* How samples are drawn. The window is w long and starts at l in 0...T - 1 - w: the last step is never in it. */
typedef struct mixgrpo_sampling_config {
  uint32_t struct_size;
  int32_t steps;                   /* T, steps from sigma = 1 to 0. Default 25, 2...10000 */
  double shift;                    /* s of sigma = s*t/(1 + (s - 1)t), t = 1 - i/T; 1 for none. Default 3, above 0, at most
                                      1000 */
  int32_t image_tokens;            /* when above 0: the shift that goes with this number of tokens, in place of `shift`.
                                      Default 0, 0...1000000 */
  int32_t dynamics;                /* mixgrpo_dynamics. Default FLOW */
  double noise_level;              /* eta; for CPS the angle is eta*pi/2. Default 0.7, above 0, at most 10 (CPS: 1) */
  int32_t window_mode;             /* mixgrpo_window_mode. Default PROGRESSIVE */
  int32_t window_length;           /* w, steps. Default 4, 1...T - 1. Not used by ALL */
  int32_t window_start;            /* l of FROZEN. Default 0, 0...T - 1 - w */
  int32_t window_stride;           /* steps the window moves at a time. Default 1, 1...1000000 */
  int32_t window_interval;         /* tau, iterations between moves; LINEAR_DECAY, EXPONENTIAL_DECAY: the first; ADAPTIVE:
                                      at most. Default 25, 1...1000000 */
  int32_t window_minimum_interval; /* the last interval of LINEAR_DECAY, iterations; ADAPTIVE: iterations between moves at
                                      least. Default 1, 1...window_interval */
  int32_t window_at_end;           /* mixgrpo_window_end. Default ROLL_BACK */
  int32_t window_decay_threshold;  /* l0 of EXPONENTIAL_DECAY, a step. Default 13, 0...1000000 */
  double window_decay_rate;        /* k of EXPONENTIAL_DECAY, per step. Default 0.1, 0...100 */
  double trained_fraction;         /* with ALL, the trained share of the stochastic steps. Default 1, above 0, at most 1 */
  int32_t trained_subset;          /* mixgrpo_trained_subset. Default FIRST */
  int32_t solver;                  /* mixgrpo_solver of the steps outside the window. Default EULER */
  double flash_ratio;              /* r~ of MixGRPO-Flash: the R steps after the window become max(1, floor(r~*R)). Default
                                      0 (all R steps), else above 0, at most 1. Not with ALL */
  int32_t flash_solver;            /* mixgrpo_solver of these steps when flash_ratio > 0. Default DPM_2_MIDPOINT */
  int32_t group_size;              /* G, images per prompt. Default 12, 2...4096 */
  int32_t initial_noise;           /* mixgrpo_initial_noise. Default SHARED */
  int32_t exact_sharing;           /* flag: evaluate equal latents once; changes no result. Default 1 */
  int32_t log_probability;         /* mixgrpo_log_probability. Default MEAN */
  int32_t sigma_rounding;          /* mixgrpo_sigma_rounding. Default EXACT */
  uint64_t seed;                   /* of all random numbers of the run. Default 0 */
  double window_minimum_gain;      /* ADAPTIVE moves when the reward gains less per iteration, in standard deviations of the
                                      reward. Default 0.01, -1000...1000 */
  int32_t window_trend;            /* k, the iterations that ADAPTIVE judges a gain over. Default 10, 2...1000000 */
  int32_t reserved;                /* 0 */
} mixgrpo_sampling_config;

typedef int32_t mixgrpo_advantage_mode;
enum {
  MIXGRPO_ADVANTAGE_MODE_ADVANTAGE_AGGREGATION = 0, /* normalise each reward in its group, then take the weighted mean */
  MIXGRPO_ADVANTAGE_MODE_REWARD_AGGREGATION = 1,    /* take the weighted sum of rewards, then normalise in the group */
  MIXGRPO_ADVANTAGE_MODE_GDPO = 2                   /* normalise each reward in its group, sum weighted, then whiten over the batch */
};

typedef int32_t mixgrpo_std_scope;
enum { MIXGRPO_STD_SCOPE_GROUP = 0, MIXGRPO_STD_SCOPE_BATCH = 1 };

typedef int32_t mixgrpo_step_weighting;
enum {
  MIXGRPO_STEP_WEIGHTING_UNIFORM = 0,
  MIXGRPO_STEP_WEIGHTING_BY_NOISE = 1 /* proportional to the step's standard deviation, with mean 1 */
};

typedef int32_t mixgrpo_schedule;
enum { MIXGRPO_SCHEDULE_CONSTANT = 0, MIXGRPO_SCHEDULE_COSINE = 1 };

/* What a trainer's update does about a fault: a loss, gradient or weight that is or would be NaN or infinite, or a velocity
 * that changes by more than max_velocity_change. Nothing unsound is ever applied, and metrics and log tell of each fault. */
typedef int32_t mixgrpo_fault_policy;
enum {
  MIXGRPO_FAULT_POLICY_STOP = 0,     /* NOT_FINITE or DIVERGED, with weights, optimizer and iteration as before the update: the host
                                 may save them, and try again with other settings */
  MIXGRPO_FAULT_POLICY_SKIP = 1,     /* leave out the optimizer step of a part that is not finite and go on with the next part; a
                                 velocity that changes too much undoes the whole update. The iteration counts as done */
  MIXGRPO_FAULT_POLICY_ROLL_BACK = 2 /* undo the whole update, multiply the learning rate of all steps to come by
                                 roll_back_rate_factor, and go on with the next iteration */
};
/* What an update leaves behind that is cancelled or fails. MEMORY: the state before it; the first optimizer step keeps a copy
 * of weights, moments and average until the update has succeeded (a single step needs none if max_velocity_change is 0). NONE:
 * the state after the last finished optimizer step, and no copy; the same update may be run again and goes on from there. */
typedef int32_t mixgrpo_undo;
enum { MIXGRPO_UNDO_MEMORY = 0, MIXGRPO_UNDO_NONE = 1 };

/* How the model learns: advantages, policy loss, optimizer. */
typedef struct mixgrpo_learning_config {
  uint32_t struct_size;
  int32_t advantage_mode;        /* mixgrpo_advantage_mode. Default ADVANTAGE_AGGREGATION */
  int32_t std_scope;             /* mixgrpo_std_scope of the divisor. Default GROUP */
  int32_t step_weighting;        /* mixgrpo_step_weighting. Default UNIFORM */
  int32_t updates_per_iteration; /* parts a group is split into, one optimizer step each. Default 4, 1...group_size */
  int32_t schedule;              /* mixgrpo_schedule of the learning rate. Default CONSTANT */
  int32_t warmup_steps;          /* optimizer steps of linear rise from 0. Default 0, 0...1000000000 */
  int32_t total_steps;           /* optimizer steps until COSINE is at its minimum. Default 1000, 1...1000000000 */
  double min_rate_fraction;      /* COSINE ends at this share of learning_rate. Default 0, 0...1 */
  double learning_rate;          /* of AdamW, per step. Default 1e-5, 0...1000 */
  double beta1;                  /* decay of the first moment. Default 0.9, 0 <= beta1 < 1 */
  double beta2;                  /* decay of the second moment. Default 0.999, 0 <= beta2 < 1 */
  double epsilon;                /* added to the root of the second moment. Default 1e-8, above 0, at most 1 */
  double weight_decay;           /* decoupled, times learning rate. Default 1e-4, 0...1000 */
  double max_gradient_norm;      /* global norm the gradients are scaled down to; 0 for no limit. Default 1, 0...10^12 */
  double trim_fraction;          /* share cut off each end of a group for mean and std. Default 0, 0 <= f < 0.5 */
  double degenerate_tolerance;   /* a group whose std is at most this share of its largest reward in magnitude gets
                                    advantage 0. Default 1e-6, 0...1 */
  double advantage_clip;         /* advantages are clipped to +-this; 0 for no limit. Default 5, 0...10^6 */
  double clip_range;             /* the ratio is clipped to 1 +- this. Default 1e-4, above 0, below 1. With mean
                                    reduction D*clip_range nats of true log-ratio */
  double kl_reference;           /* weight of the KL to a frozen reference; 0 for none. Default 0, 0...10^6 */
  double kl_old;                 /* weight of (1/2)(log p - log p_old)^2; 0 for none. Default 0, 0...10^6 */
  double ema_decay;              /* decay per optimizer step of the averaged weights; 0 for none. Default 0, 0...1 */
  int32_t fault_policy;          /* mixgrpo_fault_policy of a trainer. Default STOP */
  int32_t undo;                  /* mixgrpo_undo. Default MEMORY. NONE goes with max_velocity_change 0 and without ROLL_BACK, as
                                    there is no copy to return to */
  double max_velocity_change;    /* most that one iteration of a trainer may change the velocity of its first trained latent:
                                    the root mean square of the difference over that of the velocity, which counts as 1 at
                                    least, the noise's standard deviation; 0 for no limit, which also saves the one model
                                    call. Default 1, 0...10^6. Finds a learning rate that is far too large, not one that
                                    ruins the model little by little */
  double roll_back_rate_factor;  /* of ROLL_BACK. Default 0.5, above 0, at most 1 */
} mixgrpo_learning_config;

/* What a field of a configuration is. */
typedef int32_t mixgrpo_setting_kind;
enum {
  MIXGRPO_SETTING_KIND_INTEGER = 0,
  MIXGRPO_SETTING_KIND_NUMBER = 1, /* a double */
  MIXGRPO_SETTING_KIND_FLAG = 2,   /* 0 or 1 */
  MIXGRPO_SETTING_KIND_CHOICE = 3  /* a number that stands for a name */
};

/* One setting: a field of one of the configurations. All texts are static and never NULL. */
typedef struct mixgrpo_setting {
  uint32_t struct_size;
  mixgrpo_setting_kind kind;
  const char *config;       /* the struct, such as "mixgrpo_sampling_config" */
  const char *key;          /* the field, which is also its name in JSON, errors and checkpoints */
  const char *cases;        /* CHOICE: the names in the order of their numbers from 0, separated by spaces; else "" */
  const char *default_text; /* such as "25", "0.7", "true", "progressive", "4, 14, 14" */
  const char *unit;         /* such as "iterations"; "" for none */
  const char *sentence;     /* what it means */
  double minimum;           /* bounds of a single value; what else it must go with is told by the check */
  double maximum;
  int32_t minimum_open;     /* flag: minimum itself is not allowed */
  int32_t maximum_open;     /* flag: maximum itself is not allowed */
  int32_t changes_results;  /* flag: a resumed run must have it as it was */
  uint32_t offset;          /* of the field in the struct, bytes */
  uint32_t count;           /* values in the field: 1, or the length of an array */
  uint32_t reserved;        /* 0 */
} mixgrpo_setting;

/* The number of settings of all configurations. Any thread. */
size_t mixgrpo_setting_count(void);

/* Setting `index`, 0...mixgrpo_setting_count() - 1, those of one configuration side by side. `out_setting`: struct_size set. */
mixgrpo_status mixgrpo_setting_info(size_t index, mixgrpo_setting *out_setting);

/* Fills both configurations with the defaults given above. Either may be NULL with size 0. The sizes are
 * sizeof(mixgrpo_sampling_config) and sizeof(mixgrpo_learning_config). */
mixgrpo_status mixgrpo_config_init(
    mixgrpo_sampling_config *out_sampling, size_t sampling_size, mixgrpo_learning_config *out_learning,
    size_t learning_size);

/* Fills both configurations (struct_size set; either may be NULL) with a published method; a preset is nothing but these
 * settings, and seed and group_size stay as they are:
 *   "mixgrpo"             the defaults (Mix)
 *   "mixgrpo_flash"       flash_ratio 0.4
 *   "mixgrpo_flash_star"  flash_ratio 0.2, window frozen at 0
 *   "flow_grpo"           all steps FLOW and trained, kl_reference 0.04 (arXiv 2505.05470)
 *   "dance_grpo"          all steps DANCE with noise 0.3, a random 0.6 of them trained (arXiv 2505.07818)
 * Errors: INVALID_ARGUMENT for another name. */
mixgrpo_status mixgrpo_config_init_preset(
    const char *name, mixgrpo_sampling_config *out_sampling, mixgrpo_learning_config *out_learning);

/* The name of preset `index`; NULL beyond the last. Static. Any thread. */
const char *mixgrpo_preset_name(size_t index);

/* Checks both configurations (either may be NULL) and how they go together.
 * Errors: INVALID_ARGUMENT naming every field that is wrong. */
mixgrpo_status mixgrpo_config_check(
    const mixgrpo_sampling_config *sampling, const mixgrpo_learning_config *learning);

/* Describes in lines of "field = value" what the configurations (either may be NULL) will really do: settings in force,
 * first windows, model calls per image. `out_size` may be NULL when a buffer is given. Errors: as mixgrpo_config_check. */
mixgrpo_status mixgrpo_config_describe(
    const mixgrpo_sampling_config *sampling, const mixgrpo_learning_config *learning, char *out_text, size_t capacity,
    size_t *out_size);

/* ================================================================================================================== */
/* Plan: grid, window and steps of every iteration, before anything runs                                              */
/* ================================================================================================================== */

/* Settings of sampling and time grid, checked and immutable. Pure: everything it tells is a function of the settings. */
typedef struct mixgrpo_plan mixgrpo_plan;

/* The window and the work of one iteration. */
typedef struct mixgrpo_iteration_plan {
  uint32_t struct_size;
  int32_t window_start;          /* l; 0 with ALL */
  int32_t window_length;         /* w; T - 1 with ALL */
  int32_t step_count;            /* steps in all, after Flash has shortened the tail */
  int32_t trained_step_count;    /* stochastic steps that the update trains */
  int32_t model_calls_per_image; /* what papers count: without sharing, one for each step */
  int64_t rollout_model_calls;   /* latents that the rollout evaluates, with sharing as set */
  int64_t update_model_calls;    /* latents that the update evaluates forward and backward, if no sample is left out */
} mixgrpo_iteration_plan;

/* What a step is, after its order was lowered to what its place allows: the first five as mixgrpo_solver. */
typedef int32_t mixgrpo_step_kind;
enum {
  MIXGRPO_STEP_KIND_EULER = 0,
  MIXGRPO_STEP_KIND_DPM_1 = 1,
  MIXGRPO_STEP_KIND_DPM_2_MIDPOINT = 2,
  MIXGRPO_STEP_KIND_DPM_2_HEUN = 3,
  MIXGRPO_STEP_KIND_DPM_3 = 4,
  MIXGRPO_STEP_KIND_FLOW = 5,
  MIXGRPO_STEP_KIND_DANCE = 6,
  MIXGRPO_STEP_KIND_CPS = 7
};

/* One step is one affine transition from sigma to next_sigma:
 *   x' = latent*x + velocity*v + history[0]*m1 + history[1]*m2 + noise*e,   e standard normal,
 * with v the velocity at x, and m1, m2 the data predictions m = x - sigma*v of the step before and of the one before that.
 * The mean is affine in v with slope `velocity`; `noise` is the standard deviation s, 0 for a deterministic step. */
typedef struct mixgrpo_step {
  uint32_t struct_size;
  mixgrpo_step_kind kind;
  double sigma;
  double next_sigma;
  double latent;
  double velocity;
  double history[2];
  double noise;
  int32_t trained;  /* flag: the update trains this step; 0 for a step that stands alone */
  int32_t reserved; /* 0 */
} mixgrpo_step;

/* The size of a run, for predictions. text_length and the fields from threads on count for the built-in model alone. */
typedef struct mixgrpo_workload {
  uint32_t struct_size;
  int32_t prompt_count;   /* P per iteration, 1...1000000 */
  int32_t token_count;    /* N, 1...65536 */
  int32_t channels;       /* C, 1...65536; the built-in model's in_channels */
  int32_t text_length;    /* L, 1...65536 */
  int32_t max_batch;      /* of the evaluator, 1...65536; of the host's own model: of mixgrpo_update_create, 0 for no limit */
  int32_t threads;        /* of the context, 1...1024 */
  int32_t keep_reference; /* flag: a frozen reference model is kept beside the trained one */
  int32_t recompute_activations; /* flag, of the evaluator */
  int32_t reserved;       /* 0 */
  uint64_t max_bytes;     /* of the evaluator; 0 for no limit */
} mixgrpo_workload;

/* Predicted peak memory of one iteration, bytes. The model's parts are 0 when the host owns the model. The process itself comes
 * on top: its code and tables, 10 to 20 MB before the first model, and the host's own. */
typedef struct mixgrpo_memory {
  uint32_t struct_size;
  int32_t update_batch;       /* samples in flight in an update; 0 without one, or when the host owns the model */
  uint64_t trajectory_bytes;  /* latents of the rollout and its stored window steps; with learning, also the update's */
  uint64_t weight_bytes;      /* weights; with learning, also gradients, moments, average, reference, and the copy that
                                 MIXGRPO_UNDO_MEMORY keeps */
  uint64_t activation_bytes;  /* working memory of the evaluators */
  uint64_t peak_bytes;        /* the sum */
} mixgrpo_memory;

/* Checks a configuration and makes a plan of it. `sigmas`: an own time grid of T + 1 values, strictly decreasing, the first at
 * most 1, the last 0, in place of steps, shift and image_tokens; or NULL with count 0.
 * Errors: INVALID_ARGUMENT naming every field that is out of bounds or does not go with another. */
mixgrpo_status mixgrpo_plan_create(
    const mixgrpo_sampling_config *config, const double *sigmas, size_t sigma_count, mixgrpo_plan **out_plan);
void mixgrpo_plan_destroy(mixgrpo_plan *plan);

/* The window and the work of one iteration. With ADAPTIVE and MIXGRPO_WINDOW_START_SCHEDULED (here, in mixgrpo_plan_get_step and in
 * mixgrpo_plan_predict_memory) it is a forecast: the window of a run in which every place is held for window_interval iterations, the
 * longest there is. Without Flash a window elsewhere changes sharing alone.
 *   iteration     0 or more
 *   window_start  MIXGRPO_WINDOW_START_SCHEDULED, or the host's own l in 0...T - 1 - w (needed with MIXGRPO_WINDOW_MODE_GIVEN)
 *   prompt_count  P, 1...1000000
 *   minibatches   updates_per_iteration of the learning configuration, 1...4096
 * `out_iteration`: struct_size set. */
mixgrpo_status mixgrpo_plan_get_iteration(
    const mixgrpo_plan *plan, int64_t iteration, int32_t window_start, int32_t prompt_count, int32_t minibatches,
    mixgrpo_iteration_plan *out_iteration);

/* Step `index`, 0...step_count - 1, of an iteration. `out_step`: struct_size set. */
mixgrpo_status mixgrpo_plan_get_step(
    const mixgrpo_plan *plan, int64_t iteration, int32_t window_start, int32_t index, mixgrpo_step *out_step);

/* Where a window of MIXGRPO_WINDOW_MODE_ADAPTIVE stands. A pure state machine: a state and an iteration's reward give the next state.
 * With a trainer it is part of the trainer; a host that creates rollouts itself keeps the state and passes window_start to
 * mixgrpo_rollout_create.
 *
 * A line is fitted by least squares to the rewards r of the iterations at this place, one of age a weighing
 * w = (1 - 1/k)^a, k = window_trend:
 *   gain = (sum(w a) sum(w r) - sum(w) sum(w a r)) / (sum(w) sum(w a^2) - sum(w a)^2)     per iteration
 * The window moves by window_stride when gain < window_minimum_gain * sum(w s)/sum(w), s the standard deviation of the reward,
 * but not before max(window_minimum_interval, k) iterations, and at the latest after window_interval. */
typedef struct mixgrpo_adaptive_window {
  uint32_t struct_size;
  int32_t window_start; /* l. 0...T - 1 - w */
  int64_t iterations;   /* at this place, those without a reward not counted. 0...999999 */
  double first_reward;  /* at this place; r in the sums is the difference from it */
  double sums[6];       /* sum(w), sum(w a), sum(w a^2), sum(w r), sum(w a r), sum(w s) */
  double gain;          /* the reward's gain per iteration, NaN before two iterations; not read from a state passed in */
} mixgrpo_adaptive_window;

/* Fills the state at the start of a run. `struct_size`: sizeof(mixgrpo_adaptive_window). */
mixgrpo_status mixgrpo_adaptive_window_init(mixgrpo_adaptive_window *out_state, size_t struct_size);

/* The state after an iteration with the window at state->window_start. An iteration that says nothing leaves the state as it is:
 * `reward_mean` or `reward_std` not finite, or `reward_std` 0 or less. `out_state`: struct_size set; may be `state`.
 * Errors: INVALID_ARGUMENT for a plan of another window mode, or a state that no run can be in. */
mixgrpo_status mixgrpo_adaptive_window_advance(
    const mixgrpo_plan *plan, const mixgrpo_adaptive_window *state, double reward_mean, double reward_std,
    mixgrpo_adaptive_window *out_state);

/* Predicted peak memory of `iteration`. `learning` NULL: the rollout alone. `model` NULL: the host owns the model.
 * `out_memory`: struct_size set. Errors: OUT_OF_MEMORY when that is over max_bytes, with the bytes needed. */
mixgrpo_status mixgrpo_plan_predict_memory(
    const mixgrpo_plan *plan, int64_t iteration, int32_t window_start, const mixgrpo_learning_config *learning,
    const mixgrpo_model_config *model, const mixgrpo_workload *workload, mixgrpo_memory *out_memory);

/* ================================================================================================================== */
/* Rollout: sample groups of images                                                                                   */
/* ================================================================================================================== */

/* The sampling of one iteration as a state machine that asks for velocities. Any model may answer. */
typedef struct mixgrpo_rollout mixgrpo_rollout;

typedef int32_t mixgrpo_request_kind;
enum {
  MIXGRPO_REQUEST_KIND_FINISHED = 0,      /* nothing is left to do; count is 0, pointers are NULL */
  MIXGRPO_REQUEST_KIND_EVALUATE = 1,      /* evaluate the model on the latents, then submit */
  MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP = 2 /* update only: step the optimizer on what was accumulated, zero the gradients,
                                        then call next again; count is 0 */
};

/* What a rollout or an update asks for. The arrays belong to the library and are valid until the next non-const call on
 * the object that filled them (with submit: until it returns). Those of an update stay as they are after its submit too,
 * until its next mixgrpo_update_next: the host's backward may read them. */
typedef struct mixgrpo_velocity_request {
  uint32_t struct_size;
  mixgrpo_request_kind kind;
  int32_t count;               /* B, the latents to evaluate */
  int32_t minibatch;           /* update: index of the minibatch, 0...updates_per_iteration - 1; rollout: 0 */
  int32_t needs_reference;     /* flag, update only: also evaluate the frozen reference, for the KL term */
  int32_t reserved;            /* 0 */
  uint64_t latent_size;        /* D, values in one latent */
  const float *latents;        /* (B, D) */
  const float *sigmas;         /* (B), the noise level of each latent */
  const int32_t *prompt_index; /* (B), as given to mixgrpo_rollout_create */
  const int32_t *sample;       /* (B), the first sample (prompt's place * G + member) that the latent stands for; several
                                  members share it while they are equal */
  const int32_t *step;         /* (B), the step in the iteration's plan; one for all in a rollout */
} mixgrpo_velocity_request;

/* Which rollout. */
typedef struct mixgrpo_rollout_config {
  uint32_t struct_size;
  int32_t window_start;  /* l, or MIXGRPO_WINDOW_START_SCHEDULED (default); needed with MIXGRPO_WINDOW_MODE_GIVEN and _ADAPTIVE */
  int64_t iteration;     /* selects the window and keys the random numbers. Default 0, 0 or more */
  uint64_t latent_size;  /* D, values in one latent. Default 0, which must be replaced by 1...1000000000 */
  int32_t max_batch;     /* latents per request at most; changes no result. Default 0 (no limit), 0 or more */
  int32_t reserved;      /* 0 */
} mixgrpo_rollout_config;

/* Fills the defaults given above. `struct_size`: sizeof(mixgrpo_rollout_config). */
mixgrpo_status mixgrpo_rollout_config_init(mixgrpo_rollout_config *out_config, size_t struct_size);

/* Begins the rollout of one iteration, all prompts and members in flight together.
 *   prompt_indices  (P), distinct, each 0 or more: the host's numbers for its prompts, told back in requests. They key the
 *                   random numbers, so that processes may share the prompts of an iteration. P at most 1000000
 *   initial_noise   NULL with count 0 (drawn by the library), or the host's own: (P, D), one for each group, or (P, G, D)
 * The rollout works on copies and keeps the plan and the context alive. */
mixgrpo_status mixgrpo_rollout_create(
    const mixgrpo_context *context, const mixgrpo_plan *plan, const mixgrpo_rollout_config *config,
    const int32_t *prompt_indices, size_t prompt_count, const float *initial_noise, size_t noise_count,
    mixgrpo_rollout **out_rollout);
void mixgrpo_rollout_destroy(mixgrpo_rollout *rollout);

/* Tells what is to be evaluated: EVALUATE or FINISHED. Repeating it before the submit gives the same request.
 * `out_request`: struct_size set. */
mixgrpo_status mixgrpo_rollout_next(mixgrpo_rollout *rollout, mixgrpo_velocity_request *out_request);

/* Answers the current request. `velocity`: (B, D), `count` = B*D values.
 * Errors: INVALID_STATE without a request; INVALID_ARGUMENT for a wrong count; NOT_FINITE for a NaN or infinite velocity.
 * After these the request still stands and may be answered again. NOT_FINITE also when a latent overflows, which ends the
 * rollout: next then gives the same error. */
mixgrpo_status mixgrpo_rollout_submit(mixgrpo_rollout *rollout, const float *velocity, size_t count);

/* Answers all requests that are left with the built-in model. On MIXGRPO_STATUS_CANCELLED or an error the rollout stands at the
 * request that was not answered, and the call may be repeated.
 * Errors: as mixgrpo_evaluator_velocity; INVALID_ARGUMENT when D is not the evaluator's, or a prompt index not in
 * `prompts`. */
mixgrpo_status mixgrpo_rollout_run(
    mixgrpo_rollout *rollout, mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts);

/* The finished samples at sigma = 0, (P, G, D). Errors: INVALID_STATE before FINISHED. */
mixgrpo_status mixgrpo_rollout_get_samples(const mixgrpo_rollout *rollout, float *out_samples, size_t capacity);

/* What was stored of trained step `index`, 0...trained_step_count - 1: the latents before and after, (P, G, D) each, and the
 * log-probabilities of the transitions, (P, G), nats (reduced as set). Any output may be NULL with capacity 0.
 * Errors: INVALID_STATE before FINISHED. */
mixgrpo_status mixgrpo_rollout_get_step(
    const mixgrpo_rollout *rollout, int32_t index, float *out_latents, size_t latents_capacity, float *out_next_latents,
    size_t next_latents_capacity, double *out_log_probabilities, size_t log_probabilities_capacity);

/* Latents evaluated so far, 0 for NULL. */
int64_t mixgrpo_rollout_model_calls(const mixgrpo_rollout *rollout);

/* ================================================================================================================== */
/* Advantages                                                                                                         */
/* ================================================================================================================== */

/* What was found among the rewards. */
typedef struct mixgrpo_advantage_report {
  uint32_t struct_size;
  int32_t failed_rewards;    /* rewards that are not finite; they are left out, never counted as 0 */
  int32_t excluded_samples;  /* samples left out: one of their rewards of nonzero weight failed, or their group was dropped */
  int32_t degenerate_groups; /* groups whose rewards are (nearly) equal: advantage 0 */
  int32_t dropped_groups;    /* groups with fewer than two samples left */
} mixgrpo_advantage_report;

/* Group advantages (Mix 3.1) from rewards (K, P, G). A sample with a reward that is NaN or infinite (of nonzero weight) is
 * left out of mean, std and loss.
 *   weights         (K), each 0 or more, finite, not all 0; or NULL with count 0 for 1 each
 *   out_advantages  (P, G); 0 for an excluded sample
 *   out_included    (P, G); 0 for an excluded sample, otherwise 1
 * `capacity` is that of both outputs. `out_report`: struct_size set; may be NULL. K in 1...1024, G at least 2. */
mixgrpo_status mixgrpo_advantages(
    const mixgrpo_learning_config *config, const double *rewards, int32_t reward_count, int32_t prompt_count,
    int32_t group_size, const double *weights, size_t weight_count, double *out_advantages, uint8_t *out_included,
    size_t capacity, mixgrpo_advantage_report *out_report);

/* ================================================================================================================== */
/* Update: policy gradients of one iteration                                                                          */
/* ================================================================================================================== */

/* The training on one rollout as a state machine: it asks for velocities and answers with dL/dvelocity. */
typedef struct mixgrpo_update mixgrpo_update;

/* What an update has seen so far. A ratio is r of the loss; values in nats are of the true log-density (the sum over D).
 * NaN where nothing was seen. */
typedef struct mixgrpo_update_statistics {
  uint32_t struct_size;
  int32_t optimizer_steps;           /* optimizer steps asked for */
  double loss;                  /* mean over samples and trained steps */
  double first_ratio_min;       /* over the samples seen before the first optimizer step: exactly 1 when the model */
  double first_ratio_max;       /* answers the update as it answered the rollout */
  double ratio_min;
  double ratio_max;
  double clip_fraction;         /* share of ratios at which the clip stopped the gradient */
  double max_log_ratio_nats;    /* largest |log p - log p_old| */
  double kl_old_nats;           /* KL(old, new) of a step, mean */
  double kl_reference_nats;     /* KL(new, reference) of a step, mean; 0 without */
  int64_t model_calls;          /* latents evaluated forward and backward */
} mixgrpo_update_statistics;

/* Begins the update on a finished rollout. `advantages`, `included`: (P, G), as mixgrpo_advantages gives them; `included` may
 * be NULL for all. `max_batch`: latents per request at most, 0 for no limit. The update keeps what it needs of the rollout.
 * Errors: INVALID_STATE when the rollout is not finished. */
mixgrpo_status mixgrpo_update_create(
    const mixgrpo_rollout *rollout, const mixgrpo_learning_config *config, const double *advantages,
    const uint8_t *included, size_t count, int32_t max_batch, mixgrpo_update **out_update);
void mixgrpo_update_destroy(mixgrpo_update *update);

/* Tells what is to be done next: EVALUATE, OPTIMIZER_STEP or FINISHED. Before the submit of an EVALUATE it gives the same
 * request again; an OPTIMIZER_STEP is taken as done by the following call. `out_request`: struct_size set. */
mixgrpo_status mixgrpo_update_next(mixgrpo_update *update, mixgrpo_velocity_request *out_request);

/* Answers an EVALUATE and gives dL/dvelocity, to be backpropagated into the host's model and accumulated until the next
 * OPTIMIZER_STEP (already scaled: gradients only add).
 *   velocity            (B, D) of the model in training, `count` = B*D values
 *   reference_velocity  (B, D) of the frozen reference when needs_reference, else NULL
 *   out_d_velocity      (B, D)
 * Errors: as mixgrpo_rollout_submit. */
mixgrpo_status mixgrpo_update_submit(
    mixgrpo_update *update, const float *velocity, const float *reference_velocity, size_t count, float *out_d_velocity,
    size_t d_velocity_capacity);

/* What was seen so far. `out_statistics`: struct_size set. */
mixgrpo_status mixgrpo_update_get_statistics(
    const mixgrpo_update *update, mixgrpo_update_statistics *out_statistics);

/* ================================================================================================================== */
/* Optimizer                                                                                                          */
/* ================================================================================================================== */

/* AdamW with decoupled decay, global-norm clip, and a constant or warm-up and cosine rate. */
typedef struct mixgrpo_optimizer mixgrpo_optimizer;

typedef struct mixgrpo_optimizer_report {
  uint32_t struct_size;
  int32_t reserved;     /* 0 */
  int64_t step;         /* steps done, this one included */
  double gradient_norm; /* before the clip */
  double learning_rate; /* of this step */
} mixgrpo_optimizer_report;

/* Creates an optimizer for `parameter_count` weights (at least 1) from the optimizer's fields of `config`. */
mixgrpo_status mixgrpo_optimizer_create(
    const mixgrpo_context *context, const mixgrpo_learning_config *config, size_t parameter_count,
    mixgrpo_optimizer **out_optimizer);
void mixgrpo_optimizer_destroy(mixgrpo_optimizer *optimizer);

/* One step on the host's own weights, in place. `count`: the parameter count. `out_report`: struct_size set; may be NULL.
 * Errors: NOT_FINITE when a gradient is not finite or a weight would not be: weights and optimizer stay as they were. */
mixgrpo_status mixgrpo_optimizer_step(
    mixgrpo_optimizer *optimizer, float *weights, const float *gradients, size_t count,
    mixgrpo_optimizer_report *out_report);

/* One step on a model with its accumulated gradients, which are zeroed. Errors: as above (the gradients too stay). */
mixgrpo_status mixgrpo_optimizer_step_model(
    mixgrpo_optimizer *optimizer, mixgrpo_model *model, mixgrpo_optimizer_report *out_report);

/* Answers all requests of `update` with the built-in model, in batches that the evaluator's max_batch and max_bytes allow, and
 * steps `optimizer` on it. `reference`: an evaluator of a frozen copy, needed when kl_reference > 0, else NULL. Gradients must
 * be 0 at the start and are 0 at the end.
 * `out_report`: struct_size set; may be NULL: of the last step, its gradient_norm the mean over this run's steps.
 * On MIXGRPO_STATUS_CANCELLED or an error model and optimizer are as before the call, the update is back at its start, and the call
 * may be repeated. With MIXGRPO_UNDO_NONE in the update's configuration the optimizer steps that were finished stay, the
 * message tells how many, and a repeated call does the rest.
 * Errors: NOT_FINITE when a velocity, gradient or weight would be; INVALID_STATE when the update has begun, or when gradients
 * are not 0. */
mixgrpo_status mixgrpo_update_run(
    mixgrpo_update *update, mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts, mixgrpo_optimizer *optimizer,
    mixgrpo_evaluator *reference, mixgrpo_optimizer_report *out_report);

/* ================================================================================================================== */
/* Trainer: the convenient whole                                                                                      */
/* ================================================================================================================== */

/* Joins evaluator, prompts, plan, learning and optimizer: rollout, the host's rewards, update. Trains the evaluator's model
 * in place. */
typedef struct mixgrpo_trainer mixgrpo_trainer;

/* One iteration in figures. Rewards are the weighted mean over K; NaN where there is nothing to report. */
typedef struct mixgrpo_metrics {
  uint32_t struct_size;
  int32_t window_start;
  int32_t window_length;
  int32_t failed_rewards;    /* rewards that were not finite */
  int32_t degenerate_groups; /* groups without differences in reward */
  int32_t reserved;          /* 0 */
  int64_t iteration;         /* 0-based, of the iteration these figures are of */
  int64_t model_calls_rollout;
  int64_t model_calls_update;
  double reward_mean;
  double reward_std;
  double loss;
  double first_ratio_min;    /* exactly 1 */
  double first_ratio_max;    /* exactly 1 */
  double ratio_min;
  double ratio_max;
  double clip_fraction;      /* 0...1 */
  double max_log_ratio_nats;
  double kl_old_nats;
  double kl_reference_nats;
  double gradient_norm;      /* mean over the parts, before the clip */
  double learning_rate;      /* of the last optimizer step */
  double seconds_rollout;
  double seconds_update;
  int32_t skipped_steps;     /* optimizer steps that MIXGRPO_FAULT_POLICY_SKIP left out */
  int32_t rolled_back;       /* flag: the update was undone by MIXGRPO_FAULT_POLICY_SKIP or _ROLL_BACK */
  double velocity_change;    /* see max_velocity_change; NaN where it was not measured */
} mixgrpo_metrics;

/* One reward of the latest iteration. */
typedef struct mixgrpo_reward_metrics {
  uint32_t struct_size;
  int32_t failed;   /* how many were not finite */
  double mean;      /* of the finite ones; NaN when there was none */
  double std;
  const char *name; /* belongs to the trainer and lives as long as the trainer */
} mixgrpo_reward_metrics;

/* Creates a trainer on the context of the evaluator's model, at iteration 0.
 *   reward_names  (K) distinct non-empty UTF-8 names, K in 1...1024
 *   keep_base     flag: keep a frozen copy of the weights as they are now, for hybrid samples of MIXGRPO_WEIGHTS_BASE; kept in
 *                 any case when kl_reference > 0
 * Errors: INVALID_ARGUMENT naming every field that does not fit; updates_per_iteration over group_size; OUT_OF_MEMORY when an
 * iteration with one prompt is over the evaluator's max_bytes, with the bytes needed, also with recomputed activations. */
mixgrpo_status mixgrpo_trainer_create(
    mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts, const mixgrpo_plan *plan,
    const mixgrpo_learning_config *learning, const char *const *reward_names, size_t reward_count, int32_t keep_base,
    mixgrpo_trainer **out_trainer);
void mixgrpo_trainer_destroy(mixgrpo_trainer *trainer);

/* The iteration that the next rollout belongs to; -1 for NULL. */
int64_t mixgrpo_trainer_iteration(const mixgrpo_trainer *trainer);

/* Samples a group for each of P prompts (distinct, of the trainer's). `out_samples`: (P, G, N, C) at sigma = 0. A
 * rollout that no update follows is replaced by the next, in the same iteration and with the same random numbers; it stays
 * when that is cancelled or fails, unless the evaluator's max_bytes has no room for both.
 * Errors: NOT_FINITE; INVALID_STATE when the iteration has tickets (below); OUT_OF_MEMORY when so many prompts are over the
 * evaluator's max_bytes, with the bytes needed. */
mixgrpo_status mixgrpo_trainer_rollout(
    mixgrpo_trainer *trainer, const int32_t *prompt_indices, size_t prompt_count, float *out_samples, size_t capacity);

/* The host's own window for the rollouts to come, 0...T - 1 - w; MIXGRPO_WINDOW_START_SCHEDULED (the default) for the plan's. */
mixgrpo_status mixgrpo_trainer_set_window(mixgrpo_trainer *trainer, int32_t window_start);

/* Trains on the latest rollout and moves to the next iteration.
 *   rewards  (K, P, G), `count` = K*P*G; NaN for a reward that failed
 *   weights  (K), each 0 or more, not all 0; or NULL with count 0 for 1 each
 * `out_metrics`: struct_size set; may be NULL.
 * On MIXGRPO_STATUS_CANCELLED or an error weights, optimizer and iteration are as before the call, and it may be repeated. With
 * MIXGRPO_UNDO_NONE the optimizer steps that were finished stay, the message tells how many, and the call repeated with the
 * same rewards does the rest; a checkpoint saved in between holds the weights as they are then.
 * Errors: INVALID_STATE without a rollout; with MIXGRPO_FAULT_POLICY_STOP also NOT_FINITE and DIVERGED. */
mixgrpo_status mixgrpo_trainer_update(
    mixgrpo_trainer *trainer, const double *rewards, size_t count, const double *weights, size_t weight_count,
    mixgrpo_metrics *out_metrics);

/* TICKETS: an iteration in parts, whose rewards may come later and in any order, so that some samples are scored while others
 * are drawn. Each part is a rollout with a ticket; the numbers are, to the last bit, those of one mixgrpo_trainer_rollout of
 * all prompts in the order of the tickets.
 *
 *     mixgrpo_trainer_rollout_ticket(trainer, &chosen[0], 1, samples, values, &ticket);   // hand both to a worker thread, which
 *     mixgrpo_trainer_rollout_ticket(trainer, &chosen[1], 1, others, values, &other);     // calls, while this one runs:
 *                                                mixgrpo_trainer_submit_rewards(trainer, ticket, rewards, reward_count);
 *     mixgrpo_trainer_update_tickets(trainer, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0, &metrics); // when all have come
 */

/* What an update does about tickets without rewards. */
typedef int32_t mixgrpo_missing_rewards;
enum {
  MIXGRPO_MISSING_REWARDS_REFUSE = 0,   /* INVALID_STATE, naming them */
  MIXGRPO_MISSING_REWARDS_LEAVE_OUT = 1 /* their samples are left out, as if every reward of theirs had failed */
};

/* Samples a group for each of P prompts (distinct, of the trainer's, without a ticket in this iteration) as a part of the
 * iteration. `out_samples`: (P, G, N, C) at sigma = 0. A rollout without a ticket that no update followed is dropped; while
 * there are tickets, mixgrpo_trainer_rollout and mixgrpo_trainer_update are INVALID_STATE.
 * Errors: NOT_FINITE; OUT_OF_MEMORY also when the iteration's prompts together are over the evaluator's max_bytes;
 * INVALID_ARGUMENT also when the window was changed since the iteration's first ticket; INVALID_STATE after an update that was
 * stopped with MIXGRPO_UNDO_NONE, until it is finished or the tickets are dropped. */
mixgrpo_status mixgrpo_trainer_rollout_ticket(
    mixgrpo_trainer *trainer, const int32_t *prompt_indices, size_t prompt_count, float *out_samples, size_t capacity,
    int64_t *out_ticket);

/* Hands in the rewards of a ticket, (K, P, G), NaN for a reward that failed; once. Any thread, also while another call on this
 * trainer runs; what comes during an update that leaves it out counts if that update fails or is cancelled.
 * Errors: INVALID_STATE for a ticket that has its rewards, or whose iteration is over. */
mixgrpo_status mixgrpo_trainer_submit_rewards(
    const mixgrpo_trainer *trainer, int64_t ticket, const double *rewards, size_t count);

/* The iteration's tickets without rewards, in the order of their rollouts. Any thread, also while another call runs. */
mixgrpo_status mixgrpo_trainer_get_open_tickets(
    const mixgrpo_trainer *trainer, int64_t *out_tickets, size_t capacity, size_t *out_size);

/* Trains on the iteration's tickets and moves to the next iteration, which closes them. `weights` and `out_metrics`: as in
 * mixgrpo_trainer_update. On MIXGRPO_STATUS_CANCELLED or an error weights, optimizer, iteration and tickets are as before the call.
 * Errors: INVALID_STATE without a ticket, or naming those without rewards; NOT_FINITE. */
mixgrpo_status mixgrpo_trainer_update_tickets(
    mixgrpo_trainer *trainer, mixgrpo_missing_rewards missing, const double *weights, size_t weight_count,
    mixgrpo_metrics *out_metrics);

/* Forgets the iteration's tickets; no rewards are taken for them any more. */
mixgrpo_status mixgrpo_trainer_drop_tickets(mixgrpo_trainer *trainer);

/* The latest iteration's figures, and those of reward `index`. struct_size set. Errors: INVALID_STATE before the first
 * update. */
mixgrpo_status mixgrpo_trainer_get_metrics(const mixgrpo_trainer *trainer, mixgrpo_metrics *out_metrics);
mixgrpo_status mixgrpo_trainer_get_reward_metrics(
    const mixgrpo_trainer *trainer, size_t index, mixgrpo_reward_metrics *out_metrics);

/* The latest iteration's figures as one line of JSON, without line end: to memory, or appended with a line end to a file.
 * Lines are whole or absent: a last line that a kill has left torn is taken away before the next is written.
 * Errors: INVALID_STATE before the first update; INPUT_OUTPUT. */
mixgrpo_status mixgrpo_trainer_get_metrics_json(
    const mixgrpo_trainer *trainer, char *out_json, size_t capacity, size_t *out_size);
mixgrpo_status mixgrpo_trainer_append_metrics(const mixgrpo_trainer *trainer, const char *path);

/* Saves all that a bit-exact continuation needs into `folder`/trainer.safetensors: weights, optimizer, averages, base,
 * iteration, window, settings and the library's version, with a checksum of all (XXH64). Samples that wait for an update are
 * not saved: the iteration begins again, with the same numbers. The file is written aside, synced and renamed: after a kill or
 * on a full disk the one that was there is there still. Not stopped by a cancel.
 * Errors: INPUT_OUTPUT. */
mixgrpo_status mixgrpo_trainer_save(const mixgrpo_trainer *trainer, const char *folder);

/* Brings a trainer, created with the same model sizes and settings, to the saved state; weights go into its model. A pending
 * rollout, tickets and the latest figures are dropped. The number of threads, max_batch, max_bytes and recompute_activations may
 * differ and change no bit; other prompts are not noticed. Nothing is taken over before all is read and checked. Not stopped by
 * a cancel.
 * Errors: INPUT_OUTPUT; INVALID_FORMAT, also when the checksum differs; INVALID_ARGUMENT naming the settings that differ. */
mixgrpo_status mixgrpo_trainer_restore(mixgrpo_trainer *trainer, const char *folder);

/* The same in a folder of checkpoints, one file for each iteration that was saved: `folder`/iteration-00000042.safetensors
 * for the state before iteration 42. When the new one is on the disk, all are removed but the newest `keep_last`
 * (1...1000000) and, with keep_every > 0, those whose iteration is a multiple of it.
 * Errors: INPUT_OUTPUT; INVALID_STATE when there is a whole checkpoint of a later iteration: it belongs to another run, or
 * was not resumed from. */
mixgrpo_status mixgrpo_trainer_checkpoint(
    const mixgrpo_trainer *trainer, const char *folder, int32_t keep_last, int64_t keep_every);

/* What a trainer was resumed from. */
typedef struct mixgrpo_resumption {
  uint32_t struct_size;
  int32_t skipped;   /* newer checkpoints that were torn and passed over: a log line (WARNING) tells what is wrong with each */
  int64_t iteration; /* that comes next; -1 when there is no checkpoint, or no folder, and nothing was changed */
} mixgrpo_resumption;

/* Brings a trainer to the newest checkpoint in `folder` that is whole, as mixgrpo_trainer_restore. `out_resumption`:
 * struct_size set; may be NULL. Errors: INVALID_FORMAT when there are checkpoints and none is whole; INVALID_ARGUMENT naming
 * the settings that differ from the newest whole one's; INPUT_OUTPUT. */
mixgrpo_status mixgrpo_trainer_resume(
    mixgrpo_trainer *trainer, const char *folder, mixgrpo_resumption *out_resumption);

/* ================================================================================================================== */
/* Deterministic samples: evaluation and inference                                                                    */
/* ================================================================================================================== */

/* An 8-bit RGB picture with text entries, see the section on pixels. */
typedef struct mixgrpo_image mixgrpo_image;

/* Which weights of a trainer. */
typedef int32_t mixgrpo_weights;
enum {
  MIXGRPO_WEIGHTS_TRAINED = 0,
  MIXGRPO_WEIGHTS_BASE = 1,   /* as they were at creation; needs keep_base */
  MIXGRPO_WEIGHTS_AVERAGE = 2 /* the exponential moving average; needs ema_decay > 0 */
};

/* How deterministic samples are drawn. */
typedef struct mixgrpo_sample_config {
  uint32_t struct_size;
  int32_t steps;              /* T. Default 25, 1...10000 */
  int32_t solver;             /* mixgrpo_solver of all steps. Default EULER */
  int32_t samples_per_prompt; /* S. Default 1, 1...4096 */
  double shift;               /* of the time grid. Default 3, above 0, at most 1000 */
  int32_t image_tokens;       /* as in mixgrpo_sampling_config. Default 0 */
  int32_t sigma_rounding;     /* mixgrpo_sigma_rounding. Default EXACT */
  double trained_model_share; /* p_mix of hybrid inference (Mix 5): this share of the steps, rounded to the nearest and
                                 counted from sigma = 1, uses the given model, the rest the base. Default 1, 0...1 */
  uint64_t seed;              /* of the initial noise. Default 0 */
} mixgrpo_sample_config;

/* Fills the defaults given above. `struct_size`: sizeof(mixgrpo_sample_config). */
mixgrpo_status mixgrpo_sample_config_init(mixgrpo_sample_config *out_config, size_t struct_size);

/* Draws S samples for each of P prompts with the built-in model. The noise depends on seed, place in prompt_indices
 * and number of the sample alone, so that two models can be compared on the same noise.
 *   base            evaluator of the base model, needed when trained_model_share < 1, else NULL
 *   prompt_indices  (P), of `prompts`, repetitions allowed
 *   initial_noise   NULL with count 0, or the host's own (P, S, N, C)
 *   out_samples     (P, S, N, C) at sigma = 0
 * Errors: as mixgrpo_evaluator_velocity. */
mixgrpo_status mixgrpo_evaluator_sample(
    mixgrpo_evaluator *evaluator, mixgrpo_evaluator *base, const mixgrpo_prompts *prompts,
    const mixgrpo_sample_config *config, const int32_t *prompt_indices, size_t prompt_count, const float *initial_noise,
    size_t noise_count, float *out_samples, size_t capacity);

/* The same with the trainer's own weights and prompts. A pending rollout stays. Errors: INVALID_STATE when the base or the
 * average is asked for and not kept. */
mixgrpo_status mixgrpo_trainer_sample(
    mixgrpo_trainer *trainer, mixgrpo_weights weights, const mixgrpo_sample_config *config, const int32_t *prompt_indices,
    size_t prompt_count, const float *initial_noise, size_t noise_count, float *out_samples, size_t capacity);

/* Writes one of the trainer's sets of weights as mixgrpo_model_save does. Errors: as above; INPUT_OUTPUT. */
mixgrpo_status mixgrpo_trainer_save_model(
    const mixgrpo_trainer *trainer, mixgrpo_weights weights, const char *folder, mixgrpo_storage storage);

/* Hybrid inference (Mix 5) at a glance: one picture with a row for each p_mix in `shares` and a column for each sample of each
 * prompt, every row from the same noise. For models whose latents are pixels, see mixgrpo_pixels_decode.
 *   config                trained_model_share is not used
 *   shares                (R), each 0...1, R in 1...1024; below 1 the trainer must keep its base
 *   height, width, patch  of a picture; gap, scale: as in mixgrpo_image_create_grid
 * Errors: as mixgrpo_trainer_sample and mixgrpo_pixels_decode. */
mixgrpo_status mixgrpo_trainer_hybrid_grid(
    mixgrpo_trainer *trainer, mixgrpo_weights weights, const mixgrpo_sample_config *config, const double *shares,
    size_t share_count, const int32_t *prompt_indices, size_t prompt_count, int32_t height, int32_t width, int32_t patch,
    int32_t gap, int32_t scale, mixgrpo_image **out_image);

/* ================================================================================================================== */
/* Evaluation: the best model, and a watchdog against reward hacking                                                  */
/* ================================================================================================================== */

/* Regular evaluations of a model in training: always the same prompts and the same noise, which no training sees, scored by any
 * rewards of the host's, also ones held out from training.
 *
 *     if (mixgrpo_evaluation_is_due(evaluation, mixgrpo_trainer_iteration(trainer))) {
 *       mixgrpo_evaluation_sample(evaluation, trainer, samples, sample_values);    // (P, S, N, C) floats
 *       my_scores(samples, scores);                                                // (K, P, S) doubles
 *       mixgrpo_evaluation_submit(evaluation, mixgrpo_trainer_iteration(trainer), scores, score_count, &result);
 *       if (result.verdict == MIXGRPO_VERDICT_STOP) break;
 *     }
 *
 * A host that owns the model draws the samples itself and leaves mixgrpo_evaluation_sample out. */
typedef struct mixgrpo_evaluation mixgrpo_evaluation;

/* What the watchdog does when the trained rewards rise while the held-out ones fall. */
typedef int32_t mixgrpo_watchdog;
enum { MIXGRPO_WATCHDOG_OFF = 0, MIXGRPO_WATCHDOG_WARN = 1, MIXGRPO_WATCHDOG_STOP = 2 };

typedef int32_t mixgrpo_verdict;
enum { MIXGRPO_VERDICT_CONTINUE = 0, MIXGRPO_VERDICT_WARN = 1, MIXGRPO_VERDICT_STOP = 2 };

/* When a model is evaluated, and what is kept of it. A reward's level is its mean, counted from its first evaluation in
 * standard deviations of its scores then; the levels of the trained and of the held-out rewards are averaged. The watchdog
 * remembers the evaluation with the highest held-out level. An evaluation is suspicious when the held-out level is more than
 * watchdog_minimum_delta below that, and the trained level more than watchdog_minimum_delta above where it was then. */
typedef struct mixgrpo_evaluation_config {
  uint32_t struct_size;
  int32_t every;                 /* k: iterations 0, k, 2k, ... are due. Default 10, 1...1000000 */
  int32_t weights;               /* mixgrpo_weights that are evaluated, not MODEL_BASE. Default TRAINED */
  int32_t keep_best;             /* flag: keep a copy of the best weights. Default 1 */
  int32_t watchdog;              /* mixgrpo_watchdog. Default OFF; otherwise needs trained and held-out rewards */
  int32_t watchdog_patience;     /* suspicious evaluations in a row before it barks. Default 3, 1...1000000 */
  double watchdog_minimum_delta; /* the change that counts, standard deviations. Default 0, 0...1000 */
} mixgrpo_evaluation_config;

/* One evaluation in figures. */
typedef struct mixgrpo_evaluation_result {
  uint32_t struct_size;
  int32_t is_best;         /* flag: the score is the highest so far */
  mixgrpo_verdict verdict;
  int32_t failed;          /* scores that were not finite; they are left out, never counted as 0 */
  int32_t worsening;       /* suspicious evaluations in a row */
  int32_t reserved;        /* 0 */
  int64_t iteration;       /* of the trainer when the samples were drawn */
  int64_t best_iteration;  /* -1 when no evaluation had a score */
  double score;            /* weighted mean over K of the rewards' means; NaN when one of nonzero weight has none */
  double best_score;
  const char *message;     /* why, in one line; "" with CONTINUE. Belongs to the evaluation, valid until its next submit */
} mixgrpo_evaluation_result;

/* Fills the defaults given above. `struct_size`: sizeof(mixgrpo_evaluation_config). */
mixgrpo_status mixgrpo_evaluation_config_init(mixgrpo_evaluation_config *out_config, size_t struct_size);

/* Creates an evaluation that has seen nothing.
 *   sample          how samples are drawn; its seed keys the noise
 *   prompt_indices  (P), of the trainer's prompts, repetitions allowed
 *   reward_names    (K) distinct non-empty UTF-8 names, K in 1...1024
 *   weights         (K) in the score that decides which evaluation is the best, each 0 or more, not all 0; NULL for 1 each
 *   held_out        (K) flags: training does not see this reward; NULL for none
 * Errors: INVALID_ARGUMENT naming every field that does not fit. */
mixgrpo_status mixgrpo_evaluation_create(
    const mixgrpo_evaluation_config *config, const mixgrpo_sample_config *sample, const int32_t *prompt_indices,
    size_t prompt_count, const char *const *reward_names, const double *weights, const uint8_t *held_out,
    size_t reward_count, mixgrpo_evaluation **out_evaluation);
void mixgrpo_evaluation_destroy(mixgrpo_evaluation *evaluation);

/* 1 when an iteration, which is about to be trained, is to be evaluated first; otherwise (and for NULL) 0. */
int32_t mixgrpo_evaluation_is_due(const mixgrpo_evaluation *evaluation, int64_t iteration);

/* Draws the samples of an evaluation, (P, S, N, C) at sigma = 0: from the same noise each time. A pending rollout of the trainer
 * stays. The trainer may go on before the scores come: the weights of these samples are kept until then.
 * Errors: as mixgrpo_trainer_sample. */
mixgrpo_status mixgrpo_evaluation_sample(
    mixgrpo_evaluation *evaluation, mixgrpo_trainer *trainer, float *out_samples, size_t capacity);

/* Takes the scores of an evaluation.
 *   iteration  the trainer's when the samples were drawn; later than that of the evaluation before
 *   scores     (K, P, S), NaN for one that failed; `count` = K*P*S
 * `out_result`: struct_size set. */
mixgrpo_status mixgrpo_evaluation_submit(
    mixgrpo_evaluation *evaluation, int64_t iteration, const double *scores, size_t count,
    mixgrpo_evaluation_result *out_result);

/* The means (K) of the latest evaluation's finite scores, NaN for a reward without. Errors: INVALID_STATE before the first
 * evaluation, and after mixgrpo_evaluation_restore. */
mixgrpo_status mixgrpo_evaluation_get_means(const mixgrpo_evaluation *evaluation, double *out_means, size_t capacity);

/* What the watchdog said last, also of an evaluation that was loaded: a run that it stopped is not to go on when it is resumed where
 * it was stopped. The memory that was loaded is judged by this evaluation's own watchdog settings. Either output may be NULL.
 *   out_iteration  of the latest evaluation; -1 before the first
 *   out_verdict    CONTINUE before the first */
mixgrpo_status mixgrpo_evaluation_get_verdict(
    const mixgrpo_evaluation *evaluation, int64_t *out_iteration, mixgrpo_verdict *out_verdict);

/* Puts the best weights into a model of the same sizes, or writes them as mixgrpo_model_save does.
 * Errors: INVALID_STATE when none are kept; INPUT_OUTPUT. */
mixgrpo_status mixgrpo_evaluation_get_best(const mixgrpo_evaluation *evaluation, mixgrpo_model *model);
mixgrpo_status mixgrpo_evaluation_save_best(
    const mixgrpo_evaluation *evaluation, const char *folder, mixgrpo_storage storage);

/* Saves what a continuation needs into `folder`, which may be the trainer's: the best so far with its weights, and the watchdog's
 * memory. A file is written aside and renamed. Errors: INPUT_OUTPUT. */
mixgrpo_status mixgrpo_evaluation_save(const mixgrpo_evaluation *evaluation, const char *folder);

/* Brings an evaluation, created with the same rewards, prompts and sampling, to the saved state. Errors: INPUT_OUTPUT;
 * INVALID_FORMAT; INVALID_ARGUMENT naming the settings that differ. */
mixgrpo_status mixgrpo_evaluation_restore(mixgrpo_evaluation *evaluation, const char *folder);

/* ================================================================================================================== */
/* Stateless pieces. All may be called from any thread.                                                               */
/* ================================================================================================================== */

/* The time grid: steps + 1 noise levels from 1 to 0 exactly. Bounds as in mixgrpo_sampling_config (steps from 1). */
mixgrpo_status mixgrpo_time_grid(
    int32_t steps, double shift, int32_t image_tokens, double *out_sigmas, size_t capacity);

/* The stochastic step from `sigma` to `next_sigma`, 1 >= sigma > next_sigma >= 0. `out_step`: struct_size set. At sigma = 1
 * FLOW takes next_sigma for the sigma in its denominator. Errors: INVALID_ARGUMENT also when no real step exists there. */
mixgrpo_status mixgrpo_stochastic_step(
    mixgrpo_dynamics dynamics, double noise_level, double sigma, double next_sigma, mixgrpo_step *out_step);

/* The deterministic step `index` of the time grid `sigmas` (count - 1 steps; strictly decreasing, from at most 1 to 0), its
 * order lowered to what the place allows. `out_step`: struct_size set. */
mixgrpo_status mixgrpo_deterministic_step(
    mixgrpo_solver solver, const double *sigmas, size_t sigma_count, size_t index, mixgrpo_step *out_step);

/* Log-probability of a stochastic step x -> x', nats; mu = latent*x + velocity*v.
 *   form                            any but GUARDED, whose noise a step that stands alone does not know
 *   latents, velocity, next_latents (B, D)
 *   out_log_probabilities           (B)
 * Errors: INVALID_ARGUMENT for a step whose noise is 0. */
mixgrpo_status mixgrpo_step_log_probability(
    const mixgrpo_step *step, mixgrpo_log_probability form, const float *latents, const float *velocity,
    const float *next_latents, size_t count, size_t latent_size, double *out_log_probabilities, size_t capacity);

/* Clipped policy loss of one stochastic step and its gradient (Mix 3.1):
 *   L = mean_B max(-A r, -A clip(r, 1 - clip_range, 1 + clip_range)) + the KL terms set in `config`.
 *   form                                    as for mixgrpo_step_log_probability
 *   latents, velocity, next_latents         (B, D)
 *   reference_velocity                      (B, D), needed when kl_reference > 0, else NULL
 *   old_log_probabilities, advantages       (B)
 *   out_loss                                one value
 *   out_ratios                              (B), may be NULL with capacity 0
 *   out_d_velocity                          (B, D): dL/dvelocity
 * Step weights are not applied: a single step has weight 1. */
mixgrpo_status mixgrpo_policy_loss(
    const mixgrpo_learning_config *config, const mixgrpo_step *step, mixgrpo_log_probability form, const float *latents,
    const float *velocity, const float *next_latents, const float *reference_velocity,
    const double *old_log_probabilities, const double *advantages, size_t count, size_t latent_size, double *out_loss,
    double *out_ratios, size_t ratios_capacity, float *out_d_velocity, size_t d_velocity_capacity);

/* `count` standard normal floats that depend on nothing but (seed, stream, index): the same on every machine and in any
 * order of calls. Streams are the host's own and independent of all that the library draws. */
mixgrpo_status mixgrpo_normal_noise(
    uint64_t seed, uint64_t stream, uint64_t index, float *out_values, size_t count);

/* ================================================================================================================== */
/* Pixels, images, PNG                                                                                                */
/* ================================================================================================================== */

/* Pixels are bytes, (B, height, width, 3): rows from the top, red, green, blue. A token is one square patch of patch^2 pixels,
 * its channels in the order (row, column, colour): C = 3*patch^2, N = (height/patch)*(width/patch). A byte u is the value
 * u/127.5 - 1 in [-1, 1]; a value is clipped to [-1, 1] and rounded to the nearest byte, so that bytes survive the way there
 * and back. Height and width: multiples of `patch` (at least 1), 1...65535, at most 2^26 pixels.
 * `latent_count`, `pixel_count`: image_count*3*height*width.
 * Errors: NOT_FINITE for a NaN or infinite latent. */
mixgrpo_status mixgrpo_pixels_decode(
    const float *latents, size_t latent_count, int32_t image_count, int32_t height, int32_t width, int32_t patch,
    uint8_t *out_pixels, size_t capacity);
mixgrpo_status mixgrpo_pixels_encode(
    const uint8_t *pixels, size_t pixel_count, int32_t image_count, int32_t height, int32_t width, int32_t patch,
    float *out_latents, size_t capacity);

typedef struct mixgrpo_image_info {
  uint32_t struct_size;
  int32_t width;      /* pixels */
  int32_t height;     /* pixels */
  int32_t text_count; /* text entries */
} mixgrpo_image_info;

/* One text entry, UTF-8. The key: 1...79 printable Latin-1 characters, without outer or double spaces. The value: at most
 * 4 MiB. */
typedef struct mixgrpo_text {
  const char *key;
  const char *value;
} mixgrpo_text;

/* Copies pixels (height, width, 3) in. Sides 1...65535, at most 2^26 pixels; `count` = height*width*3. */
mixgrpo_status mixgrpo_image_create(
    const uint8_t *pixels, size_t count, int32_t width, int32_t height, mixgrpo_image **out_image);

/* Puts `image_count` pictures of one size, (B, height, width, 3), `count` bytes in all, into a grid of `columns` columns, row
 * by row, with `gap` white pixels between neighbours (0...65535); each pixel becomes a square of scale^2 (1...65535). */
mixgrpo_status mixgrpo_image_create_grid(
    const uint8_t *pixels, size_t count, int32_t image_count, int32_t width, int32_t height, int32_t columns, int32_t gap,
    int32_t scale, mixgrpo_image **out_image);

/* Reads a PNG from memory or from a file, with its text entries: grey and palettes become RGB, 16 bits become 8, transparency
 * is laid on white.
 * Errors: INVALID_FORMAT when it is not a whole and sound PNG, or has more than 2^26 pixels; INPUT_OUTPUT. */
mixgrpo_status mixgrpo_image_decode(const uint8_t *png, size_t size, mixgrpo_image **out_image);
mixgrpo_status mixgrpo_image_load(const char *path, mixgrpo_image **out_image);
void mixgrpo_image_destroy(mixgrpo_image *image);

/* `out_info`: struct_size set. */
mixgrpo_status mixgrpo_image_get_info(const mixgrpo_image *image, mixgrpo_image_info *out_info);

/* The pixels (height, width, 3). */
mixgrpo_status mixgrpo_image_get_pixels(const mixgrpo_image *image, uint8_t *out_pixels, size_t capacity);

/* Text entry `index`; its strings belong to the image and are valid until its texts are set or it is destroyed. */
mixgrpo_status mixgrpo_image_get_text(const mixgrpo_image *image, size_t index, mixgrpo_text *out_text);

/* Replaces all text entries, such as prompt, seed and reward. `texts` may be NULL with count 0; at most 1024. */
mixgrpo_status mixgrpo_image_set_texts(mixgrpo_image *image, const mixgrpo_text *texts, size_t text_count);

/* Writes a PNG with its text entries: to memory, or to a file (written aside and renamed). Errors: INPUT_OUTPUT. */
mixgrpo_status mixgrpo_image_encode(const mixgrpo_image *image, uint8_t *out_png, size_t capacity, size_t *out_size);
mixgrpo_status mixgrpo_image_save(const mixgrpo_image *image, const char *path);

#ifdef __cplusplus
}
#endif

#endif
