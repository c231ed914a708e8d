/*
 * mixgrpo.h: aligns flow-matching image models with any reward, inside the host's own process.
 *
 * The library samples groups of images with a mixed ODE-SDE sampler, takes the host's rewards, and updates the model with
 * GRPO (MixGRPO, arXiv 2507.21802, "Mix" below). This header is the contract and the manual. It can be copied into any
 * project: it needs nothing but the C standard library. Its sections follow the data: version, status and errors, context,
 * model, prompts, evaluator, settings, plan, rollout, advantages, votes, update, optimizer, trainer, tickets, ranks,
 * checkpoints, deterministic samples, trainer for a host's model, evaluation. At the end stand stateless pieces and
 * conveniences: hashed words, pixels, PNG.
 *
 * Each section is marked stable or experimental, with the release it first appeared in. Stable: programs compiled against this
 * header keep working with every later release of the same MIXGRPO_ABI_VERSION. Experimental: may change in any release.
 *
 * PROGRAM 1: a trainer with the built-in flow transformer. The host only scores.
 *
 *     mixgrpo_context_create(0, &context);                                     // 0: one thread per available core
 *     mixgrpo_model_load(context, "base", &model);
 *     mixgrpo_prompts_create_hashed_words(context, lines, 8, 16, 64, 64, &prompts);
 *     mixgrpo_evaluator_config_init(&geometry, sizeof geometry);
 *     geometry.height_tokens = geometry.width_tokens = 8;                      // N = 64 image tokens
 *     mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator);
 *     mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning);
 *     mixgrpo_plan_create(&sampling, NULL, 0, &plan);
 *     mixgrpo_trainer_create(evaluator, prompts, plan, &learning, names, 1, 0, &trainer);
 *     metrics.struct_size = sizeof metrics;
 *     for (int i = 0; i < 100; i++) {
 *       mixgrpo_trainer_rollout(trainer, chosen, 4, samples, sample_values);   // (4, group_size, N, C) floats
 *       my_score(samples, rewards);                                            // (1, 4, group_size) doubles
 *       mixgrpo_trainer_update(trainer, rewards, reward_count, NULL, 0, &metrics);
 *     }
 *     mixgrpo_model_save(model, "aligned", MIXGRPO_STORAGE_BF16);
 *
 * PROGRAM 2: one iteration of a model that the host owns (any framework, any device). The library asks for velocities, the
 * host answers.
 *
 *     mixgrpo_rollout_config_init(&which, sizeof which);
 *     which.latent_size = latent_size;                                         // D; which.iteration counts up from 0
 *     mixgrpo_rollout_create(context, plan, &which, ids, 4, NULL, 0, &rollout);
 *     request.struct_size = sizeof request;
 *     while (mixgrpo_rollout_next(rollout, &request) == MIXGRPO_STATUS_OK
 *            && request.kind == MIXGRPO_REQUEST_KIND_EVALUATE) {
 *       my_velocity(request.latents, request.sigmas, request.prompt_index, request.count, velocity);
 *       mixgrpo_rollout_submit(rollout, velocity, request.count * request.latent_size);
 *     }
 *     mixgrpo_rollout_get_samples(rollout, samples, sample_values);
 *     my_score(samples, rewards);                                              // (1, 4, group_size) doubles
 *     mixgrpo_advantages(
 *         &learning, rewards, reward_count, 4, group_size, NULL, 0, advantages, included, sample_count, NULL);
 *     mixgrpo_update_create(rollout, &learning, advantages, included, sample_count, 0, &update);
 *     while (mixgrpo_update_next(update, &request) == MIXGRPO_STATUS_OK
 *            && request.kind != MIXGRPO_REQUEST_KIND_FINISHED) {
 *       if (request.kind == MIXGRPO_REQUEST_KIND_EVALUATE) {
 *         my_velocity(request.latents, request.sigmas, request.prompt_index, request.count, velocity);
 *         mixgrpo_update_submit(
 *             update, velocity, NULL, request.count * request.latent_size, d_velocity, d_velocity_capacity);
 *         my_backward(d_velocity);                                             // dL/dvelocity: accumulate gradients
 *       } else {
 *         my_optimizer_step();                                                 // MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP
 *       }
 *     }
 *
 * PROGRAM 3: the host owns the model, a trainer runs the iterations and undoes an update that fails. First the loop that
 * answers the trainer, then the program.
 *
 *     mixgrpo_status my_run(mixgrpo_trainer *trainer) {
 *       for (;;) {
 *         mixgrpo_velocity_request request = {.struct_size = sizeof request};
 *         mixgrpo_status status = mixgrpo_trainer_next(trainer, &request);
 *         if (status == MIXGRPO_STATUS_OK && request.kind == MIXGRPO_REQUEST_KIND_FINISHED) return status;
 *         if (status == MIXGRPO_STATUS_OK) status = my_answer(trainer, &request);
 *         if (status != MIXGRPO_STATUS_OK) status = mixgrpo_trainer_fail(trainer, status, NULL);
 *         if (status != MIXGRPO_STATUS_OK) return status;                      // the update has been undone
 *       }
 *     }
 *
 *     mixgrpo_host_config_init(&host, sizeof host);
 *     host.prompt_count = 8;
 *     host.latent_size = latent_size;                                          // D
 *     mixgrpo_trainer_create_for_host(context, plan, &learning, &host, names, 1, &trainer);
 *     for (int i = 0; i < 100; i++) {
 *       mixgrpo_trainer_begin_rollout(trainer, chosen, 4, 0);
 *       if (my_run(trainer) != MIXGRPO_STATUS_OK) break;
 *       mixgrpo_trainer_get_samples(trainer, samples, sample_values, NULL);
 *       my_score(samples, rewards);
 *       mixgrpo_trainer_begin_update(trainer, rewards, reward_count, NULL, 0);
 *       if (my_run(trainer) != MIXGRPO_STATUS_OK) break;
 *     }
 *
 * my_answer does what request.kind asks for, see "Trainer for a model that the host owns" below; examples/c/own_model.c is
 * complete.
 *
 * RULES FOR EVERY FUNCTION
 *
 * Status.     A fallible call returns a mixgrpo_status. On failure its outputs are untouched and its objects are as before the
 *             call. mixgrpo_last_error() names the field, what was expected, and what was passed. A function's "Errors" list
 *             names only what goes beyond the rules here.
 * Arguments.  INVALID_ARGUMENT: NULL or a misaligned pointer where one is needed, a size that does not fit, a float that is NaN
 *             or infinite. BUFFER_TOO_SMALL: a buffer smaller than what would be written. OUT_OF_MEMORY: memory that the system
 *             does not give.
 * Buffers.    The caller owns every buffer. Sizes and capacities count elements (floats, doubles, bytes), not bytes of memory.
 *             After a call returns, the library keeps no pointer of the caller, except the user_data of callbacks. Input and
 *             output buffers of one call must not overlap. A function with an `out_size` accepts NULL with capacity 0: it then
 *             only writes the size. Sizes of strings include the terminating zero.
 * Integers.   Counts of things in memory are size_t. Settings, and counts within one iteration, are int32_t. Counts over a run
 *             (iterations, tickets, optimizer steps, model calls) are int64_t. Seeds are uint64_t. An index has the type of what
 *             it indexes. Prompt ids and prompt indices are int32_t.
 * Structs.    Every struct begins with struct_size. A configuration is filled by its _init function, which takes sizeof(the
 *             struct). For a result, set struct_size = sizeof(the struct) before the call. After release 0.1.0 structs grow only
 *             at their end, and a host compiled earlier keeps working: missing settings have their defaults, and no byte beyond
 *             its shorter struct is written. Any other struct_size is INVALID_ARGUMENT. Reserved fields must be 0. Flags are 0
 *             or 1.
 * Handles.    Functions that create an object give one reference, which _destroy releases; _destroy accepts NULL. An object keeps
 *             alive what it was created from, so handles may be destroyed in any order. A handle's value is never used again in
 *             a process: a destroyed handle, or one of another kind, is INVALID_ARGUMENT wherever it is passed. Destroying it
 *             again does nothing.
 * Threads.    A call that takes a const handle may run on many threads at once. Other calls on one handle are exclusive, and so
 *             are calls that change a model (all evaluators, optimizers and trainers of that model count as that model).
 *             Different handles are independent. There is no process-wide state that a host can see. Results do not depend on the
 *             number of threads, to the last bit.
 * Stack.      A call needs 64 KiB of stack; worker threads have their own. No function of the library takes more than a page at once,
 *             so a stack that is too small ends in its guard page and overwrites nothing.
 * Fork.       A thread may fork while other threads are inside calls. The child may destroy every handle, create and use new
 *             objects, and go on using objects that no other thread was using at the moment of the fork. The worker threads do not
 *             exist in the child; its calls make new ones. An object that another thread was using can only be destroyed. Do not
 *             call fork in a signal handler.
 * Arithmetic. A call computes with rounding to nearest, with subnormal numbers and without floating-point traps, whatever the calling
 *             thread has set. It restores the thread's settings before it returns. Callbacks run with the library's settings.
 * Silence.    The library prints nothing and never ends the process.
 *
 * SYMBOLS used for shapes. Arrays are row-major, last dimension fastest. B latents in a batch; N image tokens; C channels of a
 * token; D = N*C values of one latent; L text tokens; J text width; Q pooled width; P prompts in a rollout; G members of a group;
 * T steps; w window length; K rewards; S samples per prompt; sigma in [0, 1] the noise level: 1 is pure noise, 0 is data.
 *
 * WORDS. A latent is what the model denoises; a sample is a finished latent at sigma = 0; an image is pixels. A group is all
 * samples of one prompt; its samples are its members. A prompt index is a row of a prompts object; a prompt id is a number that
 * the host chose for a prompt. A minibatch is the share of every group behind one optimizer step. The reference is the frozen
 * model of the KL term; the base is the model as it was before the alignment.
 */
#ifndef MIXGRPO_H
#define MIXGRPO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ================================================================================================================== */
/* Version                                                                                        stable, since 0.1.0 */
/* ================================================================================================================== */

/* The release this header belongs to. */
#define MIXGRPO_VERSION_MAJOR 0
#define MIXGRPO_VERSION_MINOR 1
#define MIXGRPO_VERSION_PATCH 0

/* The binary interface this header describes. It changes only when an existing program would have to be rebuilt. */
#define MIXGRPO_ABI_VERSION 1

/* The binary interface of the loaded library. A host compares it with MIXGRPO_ABI_VERSION. Any thread. */
uint32_t mixgrpo_abi_version(void);

/* The release of the loaded library, such as "0.1.0". Static. Any thread. */
const char *mixgrpo_version(void);

/* ================================================================================================================== */
/* Status and errors                                                                              stable, since 0.1.0 */
/* ================================================================================================================== */

/* 0: done. Negative: an error. Positive: stopped at the host's request. The values never change. */
typedef int32_t mixgrpo_status;
enum {
  MIXGRPO_STATUS_OK = 0,                /* done */
  MIXGRPO_STATUS_CANCELLED = 1,         /* the context was cancelled; all is as before the call (but see MIXGRPO_UNDO_NONE) */
  MIXGRPO_STATUS_INVALID_ARGUMENT = -1, /* a value out of its range, of the wrong size, NULL, or not finite */
  MIXGRPO_STATUS_INVALID_STATE = -2,    /* the call does not fit what came before, such as a submit without a request */
  MIXGRPO_STATUS_BUFFER_TOO_SMALL = -3, /* a caller's buffer is smaller than what would be written */
  MIXGRPO_STATUS_OUT_OF_MEMORY = -4,    /* the system gives no more memory, or a limit that the host set is reached */
  MIXGRPO_STATUS_INPUT_OUTPUT = -5,     /* the operating system refused to read or write */
  MIXGRPO_STATUS_INVALID_FORMAT = -6,   /* a file's content is not what its format demands */
  MIXGRPO_STATUS_UNSUPPORTED = -7,      /* a valid request that this build or machine cannot serve */
  MIXGRPO_STATUS_NOT_FINITE = -8,       /* a result would be NaN or infinite; it was not applied */
  MIXGRPO_STATUS_INTERNAL = -9,         /* a fault of the library itself */
  MIXGRPO_STATUS_DIVERGED = -10         /* an update would change the model too much; it was not applied */
};

/* The name of a status, such as "invalid_argument"; "unknown" for any other number. Static, never NULL. Any thread. */
const char *mixgrpo_status_name(mixgrpo_status status);

/* One line about the latest call of this thread that did not return MIXGRPO_STATUS_OK: field, expected, got. If several fields
 * are wrong, it names all of them, separated by "; ". Longer messages are truncated. Never NULL; "" if there was no such call.
 * The text belongs to the library and is valid until the next such call on this thread. */
const char *mixgrpo_last_error(void);

/* ================================================================================================================== */
/* Context: threads, log, progress, cancel                                                        stable, since 0.1.0 */
/* ================================================================================================================== */

/* The threads that do the work, and the host's callbacks. What is created with a context keeps it alive. */
typedef struct mixgrpo_context mixgrpo_context;

/* How important a log line is. */
typedef int32_t mixgrpo_log_level;
enum {
  MIXGRPO_LOG_LEVEL_INFO = 0,   /* for information */
  MIXGRPO_LOG_LEVEL_WARNING = 1 /* something may be wrong */
};

/* Receives one log line. `message` is valid during the call. */
typedef void (*mixgrpo_log_callback)(void *user_data, mixgrpo_log_level level, const char *message);

/* What a call with the built-in model is doing. */
typedef int32_t mixgrpo_stage;
enum {
  MIXGRPO_STAGE_ROLLOUT = 0, /* sampling groups of images */
  MIXGRPO_STAGE_UPDATE = 1,  /* training on them */
  MIXGRPO_STAGE_SAMPLE = 2   /* drawing deterministic samples */
};

/* The progress of one call with the built-in model. */
typedef struct mixgrpo_progress {
  uint32_t struct_size;
  mixgrpo_stage stage; /* what is being done */
  int64_t done;  /* latents evaluated in this call so far */
  int64_t total; /* latents this call will evaluate, if no sample is excluded */
} mixgrpo_progress;

/* Receives the progress of a call. `progress` is valid during the call. */
typedef void (*mixgrpo_progress_callback)(void *user_data, const mixgrpo_progress *progress);

/* Creates a context. `threads`: worker threads, 1...1024, or 0 for one per core that the calling thread may use (CPU affinity and
 * the control group's CPU quota, rounded down, at least 1). More threads than cores are allowed and only cost time. Workers run on
 * the cores on which the thread that calls the library may run.
 * Errors: UNSUPPORTED when the processor lacks the instructions that the library was built for (on x86-64: AVX2 and FMA, or
 * AVX-512). */
mixgrpo_status mixgrpo_context_create(int32_t threads, mixgrpo_context **out_context);
void mixgrpo_context_destroy(mixgrpo_context *context);

/* The number of worker threads in use, 0 for NULL. */
int32_t mixgrpo_context_threads(const mixgrpo_context *context);

/* Sets the receivers of log lines and of progress; NULL (the default) for silence. Callbacks run on the thread that called the
 * library, never on a worker, and must return. They may call mixgrpo_context_cancel and functions on unrelated handles.
 * `user_data` is passed back unchanged. It must stay valid until it is replaced, or until the context and everything created with
 * it are destroyed. */
mixgrpo_status mixgrpo_context_set_log(mixgrpo_context *context, mixgrpo_log_callback callback, void *user_data);
mixgrpo_status mixgrpo_context_set_progress(
    mixgrpo_context *context, mixgrpo_progress_callback callback, void *user_data);

/* Stops rollouts, updates and sampling of this context within one model call. They return MIXGRPO_STATUS_CANCELLED, with their
 * objects as before the call (but see MIXGRPO_UNDO_NONE). Calls that begin later stop too, until mixgrpo_context_reset_cancel.
 * Any thread at any time, also a signal handler, whatever it interrupts and whether the handle is live, destroyed or made up: it
 * takes no lock and allocates no memory. */
mixgrpo_status mixgrpo_context_cancel(const mixgrpo_context *context);

/* Ends a cancel: calls that begin later run again. Any thread at any time. */
mixgrpo_status mixgrpo_context_reset_cancel(const mixgrpo_context *context);

/* 1 while the context is cancelled; otherwise, and for NULL, 0. Any thread. */
int32_t mixgrpo_context_is_cancelled(const mixgrpo_context *context);

/* ================================================================================================================== */
/* Model: the built-in flow transformer                                                           stable, since 0.1.0 */
/* ================================================================================================================== */

/* The FLUX transformer (FluxTransformer2DModel in diffusers) in float32, with gradients. Weight names, shapes and files are those
 * of the diffusers checkpoint, so a folder moves both ways without conversion. */
typedef struct mixgrpo_model mixgrpo_model;

/* The sizes of a model. The names are those of diffusers' config.json. */
typedef struct mixgrpo_model_config {
  uint32_t struct_size;
  int32_t in_channels;           /* C, channels of an image token. Default 48, 1...65536 */
  int32_t out_channels;          /* channels of the velocity; sampling needs in_channels. Default 48, 1...65536 */
  int32_t num_layers;            /* double-stream blocks. Default 2, 0...1000 */
  int32_t num_single_layers;     /* single-stream blocks. Default 4, 0...1000 */
  int32_t attention_head_dim;    /* the sum of axes_dims_rope. Default 32, 2...4096 */
  int32_t num_attention_heads;   /* heads; the width d = heads * head dim is at most 65536. Default 4, 1...1024 */
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
  size_t shape[2];  /* (out, in) of a matrix, as in the checkpoint; the second is 1 for rank 1 */
  size_t offset;    /* of its first value in the flat vector of all weights */
  size_t count;     /* number of values */
  const char *name; /* the checkpoint's name; belongs to the model and lives as long as the model */
} mixgrpo_parameter_info;

/* How weights are stored in a file. */
typedef int32_t mixgrpo_storage;
enum {
  MIXGRPO_STORAGE_F32 = 0, /* 32 bits */
  MIXGRPO_STORAGE_BF16 = 1 /* the upper 16 bits, rounded to nearest */
};

/* Writes the defaults given above. `struct_size`: sizeof(mixgrpo_model_config). */
mixgrpo_status mixgrpo_model_config_init(mixgrpo_model_config *out_config, size_t struct_size);

/* Reads `folder`/config.json alone. `out_config`: struct_size set.
 * Errors: INPUT_OUTPUT; INVALID_FORMAT; UNSUPPORTED for another model class or a patch size other than 1. */
mixgrpo_status mixgrpo_model_config_load(const char *folder, mixgrpo_model_config *out_config);

/* Creates a model with random weights, which depend only on `seed` and the sizes. Modulations and the output layer are 0, so
 * every block starts as the identity. */
mixgrpo_status mixgrpo_model_create(
    const mixgrpo_context *context, const mixgrpo_model_config *config, uint64_t seed, mixgrpo_model **out_model);

/* Loads a diffusers folder: config.json with diffusion_pytorch_model.safetensors, or with its shards and
 * diffusion_pytorch_model.safetensors.index.json. A variant such as diffusion_pytorch_model.fp16.safetensors is loaded when it is the
 * only one, and of a pipeline's folder its transformer/. Values may be F32, F16 or BF16.
 * Errors: INPUT_OUTPUT; INVALID_FORMAT for a truncated or contradictory file, a missing or unexpected tensor, or a shape that
 * does not follow from the configuration; NOT_FINITE for a NaN or infinite weight; UNSUPPORTED for another model class or a patch
 * size other than 1. */
mixgrpo_status mixgrpo_model_load(const mixgrpo_context *context, const char *folder, mixgrpo_model **out_model);

/* Writes a diffusers folder, created if needed (its parent must exist). Each file is written under a temporary name and renamed:
 * after a crash either the old file or the new one is there. Errors: INPUT_OUTPUT; NOT_FINITE naming the tensor when a weight is
 * not finite, or too large for BF16 when saved as such. */
mixgrpo_status mixgrpo_model_save(const mixgrpo_model *model, const char *folder, mixgrpo_storage storage);

/* Makes an independent copy of the weights, for a frozen reference. Gradients are not copied. */
mixgrpo_status mixgrpo_model_copy(const mixgrpo_model *model, mixgrpo_model **out_copy);
void mixgrpo_model_destroy(mixgrpo_model *model);

/* Frozen models: the weights never change and take about half the memory. Those of the blocks' layers are rounded to bfloat16, all
 * others stay float32. A frozen model can be evaluated, adapted, copied and saved; it has no weights to train, so
 * mixgrpo_model_get_size gives 0, and trainers refuse it. `freeze` merges an adapter before rounding; `load_frozen` rounds tensor by
 * tensor. Errors: as for mixgrpo_model_load; NOT_FINITE also for a weight beyond bfloat16's largest value. */
mixgrpo_status mixgrpo_model_freeze(const mixgrpo_model *model, mixgrpo_model **out_model);
mixgrpo_status mixgrpo_model_load_frozen(const mixgrpo_context *context, const char *folder, mixgrpo_model **out_model);

/* Settings of a new low-rank adapter (LoRA): W' = W + factor * B * A with W frozen, A (rank, inputs), B (outputs, rank).
 * An adapter is usually trained at a higher learning rate than all weights are. */
typedef struct mixgrpo_lora_config {
  uint32_t struct_size;
  int32_t rank;            /* at most the sizes of each adapted layer. Default 16, 1...65536 */
  double alpha;            /* B * A counts alpha / rank times. Default 16, above 0, at most 65536 */
  int32_t rank_stabilized; /* flag: alpha / sqrt(rank) times instead. Default 0 */
  int32_t reserved;        /* 0 */
  uint64_t seed;           /* of the first values of A; B starts at 0. Default 0 */
} mixgrpo_lora_config;

/* The program whose files an adapter's are. */
typedef int32_t mixgrpo_adapter_format;
enum {
  MIXGRPO_ADAPTER_FORMAT_PEFT = 0,      /* a folder: adapter_model.safetensors, adapter_config.json. Keeps rank and alpha */
  MIXGRPO_ADAPTER_FORMAT_DIFFUSERS = 1, /* a folder: pytorch_lora_weights.safetensors, whose B contains the factor */
  MIXGRPO_ADAPTER_FORMAT_KOHYA = 2      /* a file with the names of the original FLUX; B contains the factor */
};

/* Writes the defaults given above. `struct_size`: sizeof(mixgrpo_lora_config). */
mixgrpo_status mixgrpo_lora_config_init(mixgrpo_lora_config *out_config, size_t struct_size);

/* Creates a model that trains a new adapter of `base` and nothing else; at first it computes what `base` computes. Its weights,
 * gradients, optimizers, averages and checkpoints are the adapter's, named as in PEFT: transformer_blocks.0.attn.to_q.lora_A.weight.
 * mixgrpo_model_save merges the adapter into what it writes. The frozen weights are shared: several adapters may have one base,
 * whose weights must not be written while they exist. `targets`: the linear layers to adapt, each by its name, by the end of its
 * name after a dot (to_q), or by a pattern with *; NULL with 0 for all layers of the blocks except modulations.
 * Errors: INVALID_ARGUMENT for a rank beyond a layer's size, a target that no layer matches, or a base with an adapter. */
mixgrpo_status mixgrpo_model_adapt(
    const mixgrpo_model *base, const mixgrpo_lora_config *config, const char *const *targets, size_t target_count,
    mixgrpo_model **out_model);

/* The same with the adapter in a file of PEFT, diffusers or kohya: a folder as mixgrpo_adapter_format says, or a safetensors file.
 * Prefixes that wrap a model (base_model.model., transformer., diffusion_model., module., _orig_mod., lora_unet_,
 * lora_transformer_) are skipped; a missing alpha is the rank. Values may be F32, F16 or BF16.
 * Errors: INPUT_OUTPUT; INVALID_FORMAT naming the tensor for an adapter of another model, a missing factor or an unknown prefix;
 * NOT_FINITE; UNSUPPORTED for DoRA, LoHa, LoKr and adapters of text encoders; INVALID_ARGUMENT for a base with an adapter. */
mixgrpo_status mixgrpo_model_load_adapter(const mixgrpo_model *base, const char *path, mixgrpo_model **out_model);

/* Writes the adapter alone, each file atomically. `path`: a folder, created if needed (its parent must exist), or a file, as the
 * format says. Errors: INVALID_STATE for a model without an adapter; INPUT_OUTPUT; NOT_FINITE. */
mixgrpo_status mixgrpo_model_save_adapter(const mixgrpo_model *model, const char *path, mixgrpo_adapter_format format);

/* Makes a model in float32 with the adapter merged into its weights; of a model without an adapter, a copy. */
mixgrpo_status mixgrpo_model_merge(const mixgrpo_model *model, mixgrpo_model **out_model);

/* Multiplies the adapter in evaluations and merges: 0 for the frozen model, 1 (at first) for the adapter as it is trained; 0...2. The
 * strength is not saved. Errors: INVALID_STATE for a model without an adapter. */
mixgrpo_status mixgrpo_model_set_adapter_strength(mixgrpo_model *model, double strength);

/* The model's sizes. `out_config`: struct_size set. */
mixgrpo_status mixgrpo_model_get_config(const mixgrpo_model *model, mixgrpo_model_config *out_config);

/* The number of weight tensors and of weights. Either output may be NULL. */
mixgrpo_status mixgrpo_model_get_size(const mixgrpo_model *model, size_t *out_tensors, size_t *out_values);

/* Weight tensor `index`, 0...tensors - 1, in the order of the flat vector: the next one begins at offset + count.
 * `out_info`: struct_size set. */
mixgrpo_status mixgrpo_model_get_parameter(
    const mixgrpo_model *model, size_t index, mixgrpo_parameter_info *out_info);

/* The index of the weight tensor with this checkpoint name. Errors: INVALID_ARGUMENT when there is none. */
mixgrpo_status mixgrpo_model_find_parameter(const mixgrpo_model *model, const char *name, size_t *out_index);

/* Copy `count` values of the flat vector of all weights, or of all their gradients, from `offset` on: _get_ to the host, _set_
 * to the model. The range of one tensor is in its mixgrpo_parameter_info; offset 0 and all values are the whole vector.
 * Gradients are 0 until a backward adds to them.
 * Errors: INVALID_ARGUMENT when the range ends beyond the vector, or a value to set is not finite. */
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
/* Prompts: text embeddings for the built-in model                                                stable, since 0.1.0 */
/* ================================================================================================================== */

/* The text embeddings of all prompts of a run. Other calls name a prompt by its index in this object. Immutable. */
typedef struct mixgrpo_prompts mixgrpo_prompts;

/* Copies embeddings in, from whatever text encoder the model was trained with.
 *   text    (prompt_count, text_length, text_width)
 *   pooled  (prompt_count, pooled_width)
 * `text_count` and `pooled_count` are the sizes of the arrays and must agree with the dimensions, each 1...65536. For a stand-in
 * without a text encoder see mixgrpo_prompts_create_hashed_words. */
mixgrpo_status mixgrpo_prompts_create(
    const mixgrpo_context *context, const float *text, size_t text_count, const float *pooled, size_t pooled_count,
    size_t prompt_count, int32_t text_length, int32_t text_width, int32_t pooled_width, mixgrpo_prompts **out_prompts);
void mixgrpo_prompts_destroy(mixgrpo_prompts *prompts);

/* The number of prompts, 0 for NULL. */
size_t mixgrpo_prompts_count(const mixgrpo_prompts *prompts);

/* ================================================================================================================== */
/* Evaluator: velocity and backward of the built-in model                                         stable, since 0.1.0 */
/* ================================================================================================================== */

/* A model prepared for one image size, with its working memory. It does not own the weights: several evaluators may share one
 * model. */
typedef struct mixgrpo_evaluator mixgrpo_evaluator;

/* The factors of the products in the model's blocks and their attention. Softmax, norms, sums, gradients of weights and the
 * optimizer are float32 with both. */
typedef int32_t mixgrpo_precision;
enum {
  MIXGRPO_PRECISION_FLOAT32 = 0, /* 24 bits of mantissa */
  MIXGRPO_PRECISION_BFLOAT16 = 1 /* 8 bits of mantissa, rounded to nearest: half the memory for packed weights and factors, and
                                    faster products where AVX512_BF16 is faster than multiply-adds in float32, as on Zen 4. The
                                    bits of a result are the same on every processor, for any number of threads, in any batch */
};

/* The image size, the working memory and the precision of an evaluator. */
typedef struct mixgrpo_evaluator_config {
  uint32_t struct_size;
  int32_t height_tokens;  /* rows of image tokens. Default 8, 1...4096 */
  int32_t width_tokens;   /* columns of image tokens; N = height * width is at most 65536. Default 8, 1...4096 */
  int32_t text_length;    /* L, text tokens of every prompt. Default 16, 1...65536 */
  int32_t max_batch;      /* latents evaluated at a time, or whose activations are kept at a time; larger batches without
                             activations are split. Memory grows with it. Default 16, 1...65536 */
  int32_t recompute_activations; /* flag: keep only the input of each block and compute the block again in the backward: a
                                    fraction of the memory, one more forward, the same bits. Default 0 */
  mixgrpo_precision precision; /* of the factors in the blocks' products. Default FLOAT32 */
  int32_t reserved;       /* 0 */
  double guidance;        /* the guidance value for a model with guidance_embeds. Default 3.5, 0...1000 */
  size_t max_bytes;       /* most bytes that the model, the evaluator and everything that training holds may take (the memory
                             that mixgrpo_plan_predict_memory predicts); 0 for no limit. Batches are split to stay within it,
                             which changes no bit of a result. What does not fit even then is refused. Default 0 */
} mixgrpo_evaluator_config;

/* Writes the defaults given above. `struct_size`: sizeof(mixgrpo_evaluator_config). */
mixgrpo_status mixgrpo_evaluator_config_init(mixgrpo_evaluator_config *out_config, size_t struct_size);

/* Creates an evaluator on the context of the model. `image_ids`: positions (N, 3) of the image tokens, or NULL with count 0 for
 * the usual (0, row, column).
 * Errors: OUT_OF_MEMORY when max_bytes is less than what the weights and the smallest batch take; the message names the bytes
 * needed. */
mixgrpo_status mixgrpo_evaluator_create(
    mixgrpo_model *model, const mixgrpo_evaluator_config *config, const float *image_ids, size_t image_id_count,
    mixgrpo_evaluator **out_evaluator);
void mixgrpo_evaluator_destroy(mixgrpo_evaluator *evaluator);

/* D = N*C, the number of values in one latent; 0 for NULL. */
size_t mixgrpo_evaluator_latent_size(const mixgrpo_evaluator *evaluator);

/* Evaluates the velocity dx/dsigma at `count` latents (B = count).
 *   latents           (B, N, C)
 *   sigmas            (B), each in [0, 1]
 *   prompt_index      (B), each a row of `prompts`
 *   keep_activations  flag: keep what mixgrpo_evaluator_backward needs, until the next call that evaluates with this evaluator,
 *                     also one that fails with NOT_FINITE or OUT_OF_MEMORY or is cancelled after its first evaluation,
 *                     or until the model's weights change
 *   out_velocity      (B, N, C), C the out_channels
 * Errors: INVALID_ARGUMENT when the prompts' length or widths do not fit the evaluator, or when B is over max_batch and
 * activations are to be kept; NOT_FINITE when a velocity would not be finite. */
mixgrpo_status mixgrpo_evaluator_velocity(
    mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts, const float *latents, const float *sigmas,
    const int32_t *prompt_index, size_t count, int32_t keep_activations, float *out_velocity, size_t velocity_capacity);

/* Runs the backward of the latest mixgrpo_evaluator_velocity, which must have kept its activations. Adds dL/dweights to the
 * model's gradients and, unless `out_d_latents` is NULL (capacity 0), writes dL/dlatents (B, N, C). The activations are used up.
 * `d_velocity`: dL/dvelocity (B, N, C), `count` = B*N*C values. Changes the model (see Threads above).
 * Errors: INVALID_STATE without kept activations. */
mixgrpo_status mixgrpo_evaluator_backward(
    mixgrpo_evaluator *evaluator, const float *d_velocity, size_t count, float *out_d_latents, size_t d_latents_capacity);

/* ================================================================================================================== */
/* Settings: how to sample and how to learn                                                       stable, since 0.1.0 */
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
  MIXGRPO_WINDOW_MODE_LINEAR_DECAY = 2,      /* as PROGRESSIVE, but the interval falls linearly to its minimum */
  MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY = 3, /* as PROGRESSIVE, but the interval is ceil(interval*exp(-k*max(0, l - l0))) */
  MIXGRPO_WINDOW_MODE_RANDOM = 4,            /* uniform on its range; depends only on seed and iteration */
  MIXGRPO_WINDOW_MODE_ALL = 5,               /* every step but the last is stochastic (Flow-GRPO, DanceGRPO) */
  MIXGRPO_WINDOW_MODE_GIVEN = 6,             /* the host gives the window of each iteration */
  MIXGRPO_WINDOW_MODE_ADAPTIVE = 7           /* moves when the reward's gain flattens, see mixgrpo_adaptive_window */
};

/* Pass as window_start to use the plan's scheduled window. */
enum { MIXGRPO_WINDOW_START_SCHEDULED = -1 };

/* What a moving window does after its last place. */
typedef int32_t mixgrpo_window_end;
enum {
  MIXGRPO_WINDOW_END_ROLL_BACK = 0, /* starts again at 0 */
  MIXGRPO_WINDOW_END_STAY = 1       /* stays at the last place */
};

/* Which stochastic steps are trained when all are stochastic and trained_fraction < 1. */
typedef int32_t mixgrpo_trained_subset;
enum {
  MIXGRPO_TRAINED_SUBSET_FIRST = 0, /* the first steps */
  MIXGRPO_TRAINED_SUBSET_RANDOM = 1 /* a random choice for each iteration */
};

/* How deterministic steps follow the flow. DPM-Solver++: arXiv 2211.01095. */
typedef int32_t mixgrpo_solver;
enum {
  MIXGRPO_SOLVER_EULER = 0,          /* first order */
  MIXGRPO_SOLVER_DPM_1 = 1,          /* DPM-Solver++, first order */
  MIXGRPO_SOLVER_DPM_2_MIDPOINT = 2, /* DPM-Solver++, second order, midpoint form */
  MIXGRPO_SOLVER_DPM_2_HEUN = 3,     /* DPM-Solver++, second order, Heun form */
  MIXGRPO_SOLVER_DPM_3 = 4           /* DPM-Solver++, third order */
};

/* Where the members of a group start. */
typedef int32_t mixgrpo_initial_noise;
enum {
  MIXGRPO_INITIAL_NOISE_SHARED = 0, /* all members of a group start from the same noise */
  MIXGRPO_INITIAL_NOISE_OWN = 1     /* each member starts from its own noise */
};

/* The number whose difference between the new and the old policy is the logarithm of the ratio. */
typedef int32_t mixgrpo_log_probability;
enum {
  MIXGRPO_LOG_PROBABILITY_MEAN = 0,     /* log-density per value: mean_D -(x' - mu)^2/(2s^2) - ln s - (1/2)ln(2 pi) */
  MIXGRPO_LOG_PROBABILITY_SUM = 1,      /* the log-density itself: the sum over D */
  MIXGRPO_LOG_PROBABILITY_CPS_PEER = 2, /* -mean_D (x' - mu)^2, with CPS only; not a density */
  MIXGRPO_LOG_PROBABILITY_GUARDED = 3   /* mean_D e*mu with the step's noise e (GRPO-Guard, arXiv 2510.22319) */
};

/* How sigma is rounded before it is passed to the model. */
typedef int32_t mixgrpo_sigma_rounding;
enum {
  MIXGRPO_SIGMA_ROUNDING_EXACT = 0,      /* not at all */
  MIXGRPO_SIGMA_ROUNDING_THOUSANDTHS = 1 /* floor(1000 sigma)/1000, for models that take integer timesteps */
};

/* How samples are drawn. The window has w steps and starts at l in 0...T - 1 - w: the last step is never in it. */
typedef struct mixgrpo_sampling_config {
  uint32_t struct_size;
  /* The time grid. */
  int32_t steps;                          /* T, steps from sigma = 1 to 0. Default 25, 2...10000 */
  double shift;                           /* s of sigma = s*t/(1 + (s - 1)t), t = 1 - i/T; 1 for none. Default 3, above 0, at
                                             most 1000 */
  int32_t image_tokens;                   /* above 0: use the shift that belongs to this number of tokens in place of `shift`.
                                             Default 0, 0...1000000 */
  mixgrpo_sigma_rounding sigma_rounding;  /* Default EXACT */
  /* The steps. */
  mixgrpo_dynamics dynamics;              /* of the stochastic steps. Default FLOW */
  mixgrpo_solver solver;                  /* of the steps outside the window. Default EULER */
  double noise_level;                     /* eta; for CPS the angle is eta*pi/2. Default 0.7, above 0, at most 10 (CPS: 1) */
  double flash_ratio;                     /* r~ of MixGRPO-Flash: the R steps after the window become max(1, floor(r~*R)).
                                             Default 0 (all R steps), 0...1. Not with ALL */
  mixgrpo_solver flash_solver;            /* of these steps when flash_ratio > 0. Default DPM_2_MIDPOINT */
  /* The window. */
  mixgrpo_window_mode window_mode;        /* Default PROGRESSIVE */
  int32_t window_length;                  /* w, steps. Default 4, 1...T - 1. Not used by ALL */
  int32_t window_start;                   /* l of FROZEN. Default 0, 0...T - 1 - w */
  int32_t window_stride;                  /* steps the window moves at a time. Default 1, 1...1000000 */
  int32_t window_interval;                /* tau, iterations between moves; LINEAR_DECAY, EXPONENTIAL_DECAY: the first interval;
                                             ADAPTIVE: the longest. Default 25, 1...1000000 */
  int32_t window_minimum_interval;        /* iterations; LINEAR_DECAY: the last interval; ADAPTIVE: the shortest. Default 1,
                                             1...window_interval */
  mixgrpo_window_end window_at_end;       /* Default ROLL_BACK */
  int32_t window_decay_threshold;         /* l0 of EXPONENTIAL_DECAY, a step. Default 13, 0...1000000 */
  int32_t window_trend;                   /* k, the iterations that ADAPTIVE judges a gain over. Default 10, 2...1000000 */
  double window_decay_rate;               /* k of EXPONENTIAL_DECAY, per step. Default 0.1, 0...100 */
  double window_minimum_gain;             /* ADAPTIVE moves when the reward gains less per iteration, in standard deviations of
                                             the reward. Default 0.01, -1000...1000 */
  double trained_fraction;                /* with ALL: the trained share of the stochastic steps. Default 1, above 0, at most
                                             1 */
  mixgrpo_trained_subset trained_subset;  /* with ALL. Default FIRST */
  /* The group. */
  int32_t group_size;                     /* G, samples per prompt. Default 12, 2...4096 */
  mixgrpo_initial_noise initial_noise;    /* Default SHARED */
  int32_t exact_sharing;                  /* flag: evaluate equal latents once; changes no result. Default 1 */
  mixgrpo_log_probability log_probability; /* Default MEAN */
  int32_t reserved;                       /* 0 */
  uint64_t seed;                          /* of all random numbers of the run. Default 0 */
} mixgrpo_sampling_config;

/* How several rewards become one advantage. */
typedef int32_t mixgrpo_advantage_mode;
enum {
  MIXGRPO_ADVANTAGE_MODE_ADVANTAGE_AGGREGATION = 0, /* normalise each reward in its group, then take the weighted mean */
  MIXGRPO_ADVANTAGE_MODE_REWARD_AGGREGATION = 1,    /* take the weighted sum of rewards, then normalise in the group */
  MIXGRPO_ADVANTAGE_MODE_GDPO = 2                   /* normalise each reward in its group, sum weighted, then whiten over the
                                                       batch */
};

/* Which samples the standard deviation is taken over. */
typedef int32_t mixgrpo_std_scope;
enum {
  MIXGRPO_STD_SCOPE_GROUP = 0, /* the samples of one prompt */
  MIXGRPO_STD_SCOPE_BATCH = 1  /* all samples of the iteration */
};

/* How the loss weighs the trained steps. */
typedef int32_t mixgrpo_step_weighting;
enum {
  MIXGRPO_STEP_WEIGHTING_UNIFORM = 0, /* all the same */
  MIXGRPO_STEP_WEIGHTING_BY_NOISE = 1 /* proportional to the step's standard deviation, with mean 1 */
};

/* The learning rate after the warm-up. */
typedef int32_t mixgrpo_schedule;
enum {
  MIXGRPO_SCHEDULE_CONSTANT = 0, /* stays the same */
  MIXGRPO_SCHEDULE_COSINE = 1    /* falls as half a cosine */
};

/* What a trainer's update does about a fault: a loss, gradient or weight that is or would be NaN or infinite, or a velocity
 * that changes by more than max_velocity_change. A value that is not finite is never applied.
 * Metrics and log report each fault. */
typedef int32_t mixgrpo_fault_policy;
enum {
  MIXGRPO_FAULT_POLICY_STOP = 0,     /* return NOT_FINITE or DIVERGED, with weights, optimizer and iteration as before the
                                        update: the host may save them, and try again with other settings */
  MIXGRPO_FAULT_POLICY_SKIP = 1,     /* skip the optimizer step of a minibatch that is not finite and go on with the next; a
                                        velocity that changes too much undoes the whole update. The iteration counts as done */
  MIXGRPO_FAULT_POLICY_ROLL_BACK = 2 /* undo the whole update, multiply the learning rate of all later steps by
                                        roll_back_rate_factor, and go on with the next iteration */
};

/* State left by a cancelled or failed update. */
typedef int32_t mixgrpo_undo;
enum {
  MIXGRPO_UNDO_MEMORY = 0, /* the state before it. The first optimizer step copies weights, moments and average, until the update
                              has succeeded (a single step needs no copy if max_velocity_change is 0) */
  MIXGRPO_UNDO_NONE = 1    /* the state after the last finished optimizer step, and no copy. The same update may be run again and
                              does the rest */
};

/* How the model learns: advantages, policy loss, optimizer. */
typedef struct mixgrpo_learning_config {
  uint32_t struct_size;
  /* Advantages and policy loss. */
  mixgrpo_advantage_mode advantage_mode; /* Default ADVANTAGE_AGGREGATION */
  mixgrpo_std_scope std_scope;           /* of the divisor. Default GROUP */
  mixgrpo_step_weighting step_weighting; /* Default UNIFORM */
  double trim_fraction;                  /* share cut off each end of a group for mean and std. Default 0, 0 <= f < 0.5 */
  double degenerate_tolerance;           /* a group is degenerate (advantage 0) if its std is at most this share of its largest
                                            reward in magnitude. Default 1e-6, 0...1 */
  double advantage_clip;                 /* advantages are clipped to +-this; 0 for no limit. Default 5, 0...10^6 */
  double clip_range;                     /* the ratio is clipped to 1 +- this. Default 1e-4, above 0, below 1. With
                                            log_probability MEAN, D*clip_range nats of true log-ratio */
  double kl_reference;                   /* weight of the KL to the frozen reference; 0 for none. Default 0, 0...10^6 */
  double kl_old;                         /* weight of (1/2)(log p - log p_old)^2; 0 for none. Default 0, 0...10^6 */
  /* The optimizer, AdamW. */
  int32_t updates_per_iteration;         /* minibatches each group is split into, one optimizer step each. Default 4,
                                            1...group_size */
  mixgrpo_schedule schedule;             /* of the learning rate. Default CONSTANT */
  int32_t warmup_steps;                  /* optimizer steps of linear rise from 0. Default 0, 0...1000000000 */
  int32_t total_steps;                   /* optimizer steps until COSINE is at its minimum. Default 1000, 1...1000000000 */
  double min_rate_fraction;              /* COSINE ends at this share of learning_rate. Default 0, 0...1 */
  double learning_rate;                  /* per step. Default 1e-5, 0...1000 */
  double beta1;                          /* decay of the first moment. Default 0.9, 0 <= beta1 < 1 */
  double beta2;                          /* decay of the second moment. Default 0.999, 0 <= beta2 < 1 */
  double epsilon;                        /* added to the root of the second moment. Default 1e-8, above 0, at most 1 */
  double weight_decay;                   /* decoupled, times learning rate. Default 1e-4, 0...1000 */
  double max_gradient_norm;              /* global norm that gradients are scaled down to; 0 for no limit. Default 1,
                                            0...10^12 */
  double ema_decay;                      /* decay per optimizer step of the averaged weights; 0 for none. Default 0, 0...1 */
  /* Safety. */
  mixgrpo_fault_policy fault_policy;     /* of a trainer. Default STOP */
  mixgrpo_undo undo;                     /* Default MEMORY. NONE needs max_velocity_change 0 and a policy other than ROLL_BACK,
                                            because it keeps no copy to return to */
  double max_velocity_change;            /* most that one iteration of a trainer may change the velocity of its first trained
                                            latent: the root mean square of the difference over that of the velocity, which
                                            counts as at least 1, the noise's standard deviation. 0 for no limit, which also
                                            saves one model call. Default 1, 0...10^6. Finds a learning rate that is far too
                                            large, not one that ruins the model slowly */
  double roll_back_rate_factor;          /* of ROLL_BACK. Default 0.5, above 0, at most 1 */
} mixgrpo_learning_config;

/* What a field of a configuration is. */
typedef int32_t mixgrpo_setting_kind;
enum {
  MIXGRPO_SETTING_KIND_INTEGER = 0, /* a whole number */
  MIXGRPO_SETTING_KIND_NUMBER = 1,  /* a double */
  MIXGRPO_SETTING_KIND_FLAG = 2,    /* 0 or 1 */
  MIXGRPO_SETTING_KIND_CHOICE = 3   /* an enum, one of `cases` */
};

/* One setting: a field of one of the configurations. All texts are static and never NULL. */
typedef struct mixgrpo_setting {
  uint32_t struct_size;
  mixgrpo_setting_kind kind;
  const char *config;       /* the struct, such as "mixgrpo_sampling_config" */
  const char *key;          /* the field; also its name in JSON, errors and checkpoints */
  const char *cases;        /* CHOICE: the names in the order of their numbers from 0, separated by spaces; else "" */
  const char *default_text; /* such as "25", "0.7", "true", "progressive", "4, 14, 14" */
  const char *unit;         /* such as "iterations"; "" for none */
  const char *sentence;     /* what it means */
  double minimum;           /* range of a single value; mixgrpo_config_check also checks how values go together */
  double maximum;
  int32_t minimum_open;     /* flag: minimum itself is not allowed */
  int32_t maximum_open;     /* flag: maximum itself is not allowed */
  int32_t changes_results;  /* flag: a resumed run must have the same value */
  int32_t reserved;         /* 0 */
  size_t offset;            /* of the field in the struct, bytes */
  size_t count;             /* values in the field: 1, or the length of an array */
} mixgrpo_setting;

/* The number of settings of all configurations. Any thread. */
size_t mixgrpo_setting_count(void);

/* Setting `index`, 0...mixgrpo_setting_count() - 1. Settings of one configuration have successive indices. `out_setting`:
 * struct_size set. Any thread. */
mixgrpo_status mixgrpo_setting_info(size_t index, mixgrpo_setting *out_setting);

/* Writes the defaults given above into both configurations. Either may be NULL with size 0. The sizes are
 * sizeof(mixgrpo_sampling_config) and sizeof(mixgrpo_learning_config). */
mixgrpo_status mixgrpo_config_init(
    mixgrpo_sampling_config *out_sampling, size_t sampling_size, mixgrpo_learning_config *out_learning,
    size_t learning_size);

/* Fills both configurations (struct_size set; either may be NULL) with a preset: a published method, or the settings for a person
 * as the reward. seed and group_size keep their values.
 *   "mixgrpo"             the defaults (Mix)
 *   "mixgrpo_flash"       flash_ratio 0.4
 *   "mixgrpo_flash_star"  flash_ratio 0.2, window frozen at 0
 *   "flow_grpo"           all steps FLOW and trained, kl_reference 0.04 (arXiv 2505.05470)
 *   "dance_grpo"          all steps DANCE with noise 0.3, a random 0.6 of them trained (arXiv 2505.07818)
 *   "person"              the fewest votes: 12 steps, window_length 2, learning_rate 2e-4
 * Errors: INVALID_ARGUMENT for another name. */
mixgrpo_status mixgrpo_config_init_preset(
    const char *name, mixgrpo_sampling_config *out_sampling, mixgrpo_learning_config *out_learning);

/* The name of preset `index`; NULL beyond the last. Static. Any thread. */
const char *mixgrpo_preset_name(size_t index);

/* Checks both configurations (either may be NULL) and how they go together.
 * Errors: INVALID_ARGUMENT naming every field that is wrong. */
mixgrpo_status mixgrpo_config_check(
    const mixgrpo_sampling_config *sampling, const mixgrpo_learning_config *learning);

/* Describes what the configurations (either may be NULL) will do, in lines of "field = value": the settings in force, the window
 * of iteration 0, model calls per image. `out_size` may be NULL when a buffer is given.
 * Errors: INVALID_ARGUMENT naming every field that is wrong. */
mixgrpo_status mixgrpo_config_describe(
    const mixgrpo_sampling_config *sampling, const mixgrpo_learning_config *learning, char *out_text, size_t capacity,
    size_t *out_size);

/* ================================================================================================================== */
/* Plan: grid, window and steps of every iteration, before anything runs                          stable, since 0.1.0 */
/* ================================================================================================================== */

/* Checked, immutable settings of sampling, with their time grid. Every query depends only on the settings. */
typedef struct mixgrpo_plan mixgrpo_plan;

/* The window and the work of one iteration. */
typedef struct mixgrpo_iteration_plan {
  uint32_t struct_size;
  int32_t window_start;          /* l; 0 with ALL */
  int32_t window_length;         /* w; T - 1 with ALL */
  int32_t step_count;            /* all steps, after Flash has shortened the tail */
  int32_t trained_step_count;    /* stochastic steps that the update trains */
  int32_t model_calls_per_image; /* one for each step: without sharing, the way that papers count */
  int64_t rollout_model_calls;   /* latents that the rollout evaluates, with sharing as set */
  int64_t update_model_calls;    /* latents that the update evaluates forward and backward, if no sample is excluded */
} mixgrpo_iteration_plan;

/* The kind of a step. Its order may be lower than the solver's, where the steps before it do not allow more. The first five kinds
 * have the values of mixgrpo_solver. */
typedef int32_t mixgrpo_step_kind;
enum {
  MIXGRPO_STEP_KIND_EULER = 0,          /* deterministic, first order */
  MIXGRPO_STEP_KIND_DPM_1 = 1,          /* deterministic, DPM-Solver++, first order */
  MIXGRPO_STEP_KIND_DPM_2_MIDPOINT = 2, /* deterministic, DPM-Solver++, second order, midpoint form */
  MIXGRPO_STEP_KIND_DPM_2_HEUN = 3,     /* deterministic, DPM-Solver++, second order, Heun form */
  MIXGRPO_STEP_KIND_DPM_3 = 4,          /* deterministic, DPM-Solver++, third order */
  MIXGRPO_STEP_KIND_FLOW = 5,           /* stochastic, Flow-SDE */
  MIXGRPO_STEP_KIND_DANCE = 6,          /* stochastic, Dance-SDE */
  MIXGRPO_STEP_KIND_CPS = 7             /* stochastic, coefficient-preserving */
};

/* One step is one affine transition from sigma to next_sigma:
 *   x' = latent*x + velocity*v + history[0]*m1 + history[1]*m2 + noise*e,   e standard normal,
 * with v the velocity at x, and m1, m2 the data predictions m = x - sigma*v of the previous step and of the one before it.
 * The mean is affine in v with slope `velocity`; `noise` is the standard deviation s, 0 for a deterministic step. */
typedef struct mixgrpo_step {
  uint32_t struct_size;
  mixgrpo_step_kind kind; /* what the step is */
  double sigma;      /* the noise level before the step */
  double next_sigma; /* the noise level after it */
  double latent;     /* the factor of x */
  double velocity;   /* the factor of v */
  double history[2]; /* the factors of m1 and m2 */
  double noise;      /* s, the factor of e */
  int32_t trained;  /* flag: the update trains this step; no step that stands alone is trained */
  int32_t reserved; /* 0 */
} mixgrpo_step;

/* The size of a run, for predictions. text_length and the fields from threads on count only for the built-in model. */
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
  mixgrpo_precision precision;   /* of the evaluator */
  size_t max_bytes;       /* of the evaluator; 0 for no limit */
  int32_t lora_rank;      /* of an adapter of all layers of the blocks that is trained; 0 for all weights. 0...65536 */
  int32_t frozen_base;    /* flag, with lora_rank: the adapted model is a frozen one */
} mixgrpo_workload;

/* Predicted peak memory of one iteration, bytes. The model's values are 0 when the host owns the model. The process itself comes
 * on top: its code and tables, 10 to 20 MB before the first model, and the host's own memory. */
typedef struct mixgrpo_memory {
  uint32_t struct_size;
  int32_t update_batch;     /* latents in one request of an update; 0 without one, or when the host owns the model */
  size_t trajectory_bytes;  /* latents of the rollout and its stored window steps; with learning, also the update's */
  size_t weight_bytes;      /* weights; with learning, also gradients, moments, average, reference, and the copy that
                               MIXGRPO_UNDO_MEMORY keeps */
  size_t activation_bytes;  /* working memory of the evaluators */
  size_t peak_bytes;        /* the sum of the fields above */
} mixgrpo_memory;

/* Checks a configuration and creates its plan. `sigmas`: the host's own time grid of T + 1 values, strictly decreasing, the
 * first at most 1, the last 0, in place of steps, shift and image_tokens; or NULL with count 0.
 * Errors: INVALID_ARGUMENT naming every field that is out of range or does not go with another. */
mixgrpo_status mixgrpo_plan_create(
    const mixgrpo_sampling_config *config, const double *sigmas, size_t sigma_count, mixgrpo_plan **out_plan);
void mixgrpo_plan_destroy(mixgrpo_plan *plan);

/* The window and the work of one iteration. With ADAPTIVE and MIXGRPO_WINDOW_START_SCHEDULED (here, in mixgrpo_plan_get_step and
 * in mixgrpo_plan_predict_memory) it is a forecast: the window of a run that stays at every place for window_interval
 * iterations, the longest possible. Without Flash, a window elsewhere changes only the sharing.
 *   iteration     0 or more
 *   window_start  MIXGRPO_WINDOW_START_SCHEDULED, or the host's own l in 0...T - 1 - w (needed with GIVEN)
 *   prompt_count  P, 1...1000000
 *   minibatches   updates_per_iteration of the learning configuration, 1...4096
 * `out_iteration`: struct_size set. */
mixgrpo_status mixgrpo_plan_get_iteration(
    const mixgrpo_plan *plan, int64_t iteration, int32_t window_start, int32_t prompt_count, int32_t minibatches,
    mixgrpo_iteration_plan *out_iteration);

/* One step of an iteration.
 *   iteration     0 or more
 *   window_start  MIXGRPO_WINDOW_START_SCHEDULED, or the host's own l in 0...T - 1 - w (needed with GIVEN)
 *   index         0...step_count - 1
 * `out_step`: struct_size set. */
mixgrpo_status mixgrpo_plan_get_step(
    const mixgrpo_plan *plan, int64_t iteration, int32_t window_start, int32_t index, mixgrpo_step *out_step);

/* The state of a window of MIXGRPO_WINDOW_MODE_ADAPTIVE: a state and an iteration's reward give the next state. A trainer keeps
 * the state itself. A host without a trainer keeps it and passes its window_start to mixgrpo_rollout_create.
 *
 * A line is fitted by least squares to the rewards r of the iterations at this place; one of age a has the weight
 * w = (1 - 1/k)^a, k = window_trend:
 *   gain = (sum(w a) sum(w r) - sum(w) sum(w a r)) / (sum(w) sum(w a^2) - sum(w a)^2) per iteration.
 * The window moves by window_stride when gain < window_minimum_gain * sum(w s)/sum(w), with s the standard deviation of the
 * reward, but not before max(window_minimum_interval, k) iterations, and at the latest after window_interval. */
typedef struct mixgrpo_adaptive_window {
  uint32_t struct_size;
  int32_t window_start; /* l, 0...T - 1 - w */
  int64_t iterations;   /* at this place, without those that had no reward. 0...999999 */
  double first_reward;  /* at this place; r in the sums is the difference from it */
  double sums[6];       /* sum(w), sum(w a), sum(w a^2), sum(w r), sum(w a r), sum(w s) */
  double gain;          /* the reward's gain per iteration, NaN before two iterations; ignored in a state passed in */
} mixgrpo_adaptive_window;

/* Writes the state at the start of a run. `struct_size`: sizeof(mixgrpo_adaptive_window). */
mixgrpo_status mixgrpo_adaptive_window_init(mixgrpo_adaptive_window *out_state, size_t struct_size);

/* The state after an iteration with the window at state->window_start. Iterations without a usable signal leave the state
 * unchanged: `reward_mean` or `reward_std` not finite, or `reward_std` 0 or less. `out_state`: struct_size set; may be `state`.
 * Errors: INVALID_ARGUMENT for a plan of another window mode, or an invalid state. */
mixgrpo_status mixgrpo_adaptive_window_advance(
    const mixgrpo_plan *plan, const mixgrpo_adaptive_window *state, double reward_mean, double reward_std,
    mixgrpo_adaptive_window *out_state);

/* Predicts the peak memory of one iteration.
 *   iteration     0 or more
 *   window_start  MIXGRPO_WINDOW_START_SCHEDULED, or the host's own l in 0...T - 1 - w (needed with GIVEN)
 *   learning      NULL: only the rollout
 *   model         NULL: the host owns the model
 * `out_memory`: struct_size set. Errors: OUT_OF_MEMORY when the peak is over max_bytes; the message names the bytes needed. */
mixgrpo_status mixgrpo_plan_predict_memory(
    const mixgrpo_plan *plan, int64_t iteration, int32_t window_start, const mixgrpo_learning_config *learning,
    const mixgrpo_model_config *model, const mixgrpo_workload *workload, mixgrpo_memory *out_memory);

/* ================================================================================================================== */
/* Rollout: sample groups of images                                                               stable, since 0.1.0 */
/* ================================================================================================================== */

/* The sampling of one iteration as a state machine that asks for velocities. Any model may answer. */
typedef struct mixgrpo_rollout mixgrpo_rollout;

/* Which weights of a trainer. */
typedef int32_t mixgrpo_weights;
enum {
  MIXGRPO_WEIGHTS_TRAINED = 0, /* the model in training */
  MIXGRPO_WEIGHTS_BASE = 1,    /* as they were at creation; needs keep_base */
  MIXGRPO_WEIGHTS_AVERAGE = 2  /* the exponential moving average; needs ema_decay > 0 */
};

/* What a rollout, an update or a host's trainer asks the host to do. */
typedef int32_t mixgrpo_request_kind;
enum {
  MIXGRPO_REQUEST_KIND_FINISHED = 0,       /* nothing is left to do; count is 0, pointers are NULL */
  MIXGRPO_REQUEST_KIND_EVALUATE = 1,       /* evaluate the model on the latents, then submit */
  MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP = 2, /* not in a rollout: step the optimizer on the accumulated gradients and zero them,
                                              then call mixgrpo_update_next or mixgrpo_trainer_submit_step; count is 0 */
  MIXGRPO_REQUEST_KIND_KEEP_STATE = 3,     /* trainer only: copy all that an optimizer step changes (weights, optimizer,
                                              schedule, averages), then call mixgrpo_trainer_next; count is 0 */
  MIXGRPO_REQUEST_KIND_RESTORE_STATE = 4,  /* trainer only: bring that copy back, then call mixgrpo_trainer_next; count is 0 */
  MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS = 5, /* trainer only: zero the accumulated gradients, then call mixgrpo_trainer_next;
                                              count is 0 */
  MIXGRPO_REQUEST_KIND_COMBINE_FIGURES = 6 /* trainer with mixgrpo_trainer_set_rank only: exchange the ranks' figures, then call
                                              mixgrpo_trainer_submit_figures; count is 0 */
};

/* What a rollout, an update or a host's trainer asks for. The arrays belong to the library. They are valid until the next
 * non-const call on the object that filled them (for submit: until it returns). Those of an update stay valid after its submit,
 * until the following next: the host's backward may read them. */
typedef struct mixgrpo_velocity_request {
  uint32_t struct_size;
  mixgrpo_request_kind kind;
  int32_t minibatch;           /* update: index of the minibatch, 0...updates_per_iteration - 1; rollout: 0 */
  int32_t needs_reference;     /* flag, update only: also evaluate the frozen reference, for the KL term */
  int32_t needs_gradient;      /* flag, update only: submit writes dL/dvelocity, to be backpropagated */
  int32_t is_trained;          /* flag: the update evaluates these latents (again). A host whose rounding depends on the size of
                                  a batch evaluates all of them in batches of one size */
  mixgrpo_weights weights;     /* to evaluate: TRAINED, except for a trainer's deterministic samples */
  int32_t completes_minibatch; /* flag, update only: the last request before the optimizer step */
  size_t count;                /* B, the latents to evaluate */
  size_t latent_size;          /* D, values in one latent */
  const float *latents;        /* (B, D) */
  const float *sigmas;         /* (B), the noise level of each latent */
  const int32_t *prompt_index; /* (B), prompt ids as given to mixgrpo_rollout_create, or a trainer's prompt indices */
  const int32_t *sample;       /* (B), the first sample (place of its prompt * G + member) with this latent; members share a latent
                                  while they are equal */
  const int32_t *step;         /* (B), the step in the iteration's plan; the same for all in a rollout */
  double rate_factor;          /* OPTIMIZER_STEP of a trainer: multiply the learning rate of this step by it; below 1 after
                                  roll-backs. Otherwise 1 */
} mixgrpo_velocity_request;

/* The iteration and sizes of a rollout. */
typedef struct mixgrpo_rollout_config {
  uint32_t struct_size;
  int32_t window_start;  /* l, or MIXGRPO_WINDOW_START_SCHEDULED (default); needed with GIVEN and ADAPTIVE */
  int64_t iteration;     /* selects the window and keys the random numbers. Default 0, 0 or more */
  size_t latent_size;    /* D, values in one latent. Default 0, which must be replaced by 1...1000000000 */
  int32_t max_batch;     /* most latents in one request; changes no result. Default 0 (no limit), 0 or more */
  int32_t reserved;      /* 0 */
} mixgrpo_rollout_config;

/* Writes the defaults given above. `struct_size`: sizeof(mixgrpo_rollout_config). */
mixgrpo_status mixgrpo_rollout_config_init(mixgrpo_rollout_config *out_config, size_t struct_size);

/* Begins the rollout of one iteration, with all prompts and members in flight together.
 *   prompt_ids     (P), distinct, each 0 or more: host-defined prompt ids, returned in each request as prompt_index. They key the
 *                  random numbers, so processes may share the prompts of an iteration. P at most 1000000
 *   initial_noise  NULL with count 0 (drawn by the library), or the host's own: (P, D), one for each group, or (P, G, D)
 * The rollout works on copies and keeps the plan and the context alive. */
mixgrpo_status mixgrpo_rollout_create(
    const mixgrpo_context *context, const mixgrpo_plan *plan, const mixgrpo_rollout_config *config,
    const int32_t *prompt_ids, size_t prompt_count, const float *initial_noise, size_t noise_count,
    mixgrpo_rollout **out_rollout);
void mixgrpo_rollout_destroy(mixgrpo_rollout *rollout);

/* The next request: EVALUATE or FINISHED. A second call before the submit gives the same request. `out_request`: struct_size
 * set. */
mixgrpo_status mixgrpo_rollout_next(mixgrpo_rollout *rollout, mixgrpo_velocity_request *out_request);

/* Answers the current request. `velocity`: (B, D), `count` = B*D values.
 * Errors: INVALID_STATE without a request; INVALID_ARGUMENT for a wrong count; NOT_FINITE for a NaN or infinite velocity. After
 * these the request still stands and may be answered again. NOT_FINITE also when a latent overflows, which ends the rollout:
 * mixgrpo_rollout_next then gives the same error. */
mixgrpo_status mixgrpo_rollout_submit(mixgrpo_rollout *rollout, const float *velocity, size_t count);

/* Answers all remaining requests with the built-in model. On MIXGRPO_STATUS_CANCELLED or an error the rollout stands at the
 * request that was not answered, and the call may be repeated.
 * Errors: INVALID_ARGUMENT when D is not the evaluator's, a prompt id is not a row of `prompts`, or the prompts' length or
 * widths do not fit the evaluator; NOT_FINITE when a velocity would not be finite. */
mixgrpo_status mixgrpo_rollout_run(
    mixgrpo_rollout *rollout, mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts);

/* The finished samples at sigma = 0, (P, G, D). Errors: INVALID_STATE before FINISHED. */
mixgrpo_status mixgrpo_rollout_get_samples(const mixgrpo_rollout *rollout, float *out_samples, size_t capacity);

/* What was stored of trained step `index`, 0...trained_step_count - 1: the latents before and after, (P, G, D) each, and the
 * log-probabilities of the transitions, (P, G), in the form of the setting log_probability. Any output may be NULL with capacity
 * 0.
 * Errors: INVALID_STATE before FINISHED. */
mixgrpo_status mixgrpo_rollout_get_step(
    const mixgrpo_rollout *rollout, int32_t index, float *out_latents, size_t latents_capacity, float *out_next_latents,
    size_t next_latents_capacity, double *out_log_probabilities, size_t log_probabilities_capacity);

/* Latents evaluated so far, 0 for NULL. */
int64_t mixgrpo_rollout_model_calls(const mixgrpo_rollout *rollout);

/* ================================================================================================================== */
/* Advantages                                                                                     stable, since 0.1.0 */
/* ================================================================================================================== */

/* Counts of failed rewards and excluded samples. */
typedef struct mixgrpo_advantage_report {
  uint32_t struct_size;
  int32_t failed_rewards;    /* rewards that are not finite; they are excluded, never counted as 0 */
  int32_t excluded_samples;  /* samples with a failed reward of nonzero weight, or in a dropped group */
  int32_t degenerate_groups; /* groups whose rewards are (nearly) equal: advantage 0 */
  int32_t dropped_groups;    /* groups with fewer than two samples left */
} mixgrpo_advantage_report;

/* Group advantages (Mix 3.1) from rewards (K, P, G). A sample with a NaN or infinite reward (of nonzero weight) is excluded from
 * mean, std and loss.
 *   weights         (K), each 0 or more, finite, not all 0; or NULL with count 0 for 1 each
 *   out_advantages  (P, G); 0 for an excluded sample
 *   out_included    (P, G); 0 for an excluded sample, otherwise 1
 * `capacity` is that of both outputs. `out_report`: struct_size set; may be NULL. K in 1...1024, G at least 2. */
mixgrpo_status mixgrpo_advantages(
    const mixgrpo_learning_config *config, const double *rewards, size_t reward_count, size_t prompt_count,
    int32_t group_size, const double *weights, size_t weight_count, double *out_advantages, uint8_t *out_included,
    size_t capacity, mixgrpo_advantage_report *out_report);

/* ================================================================================================================== */
/* Votes of a person                                                                        experimental, since 0.1.0 */
/* ================================================================================================================== */

/* A reward from a person's ratings of one group: mean normalised ranks, 0...1, the share of the other rated images that an image
 * beats, where a tie counts as half. Stars are ratings; so are favourites, as 1 for a favourite and 0 for the others.
 *   ratings     (count), higher is better; NaN for an image without a rating
 *   out_scores  (count); NaN for an image without a rating, 0.5 for the only image that has one
 * count in 1...4096. Errors: INVALID_ARGUMENT also for an infinite rating. */
mixgrpo_status mixgrpo_scores_from_ratings(const double *ratings, size_t count, double *out_scores, size_t capacity);

/* A reward from pairs of one group: strengths of the model of Bradley and Terry, 0...1, the probability to beat an average image.
 * Each image of a pair counts as if it had also drawn once against an average image, so that always winning stays finite.
 *   pairs       (pair_count, 2): winner and loser, 0...group_size - 1; a pair may come several times, and in both orders
 *   out_scores  (group_size); NaN for an image in no pair
 * pair_count in 0...65536, group_size in 1...4096. Errors: INVALID_ARGUMENT also for an image paired with itself. */
mixgrpo_status mixgrpo_scores_from_pairs(
    const int32_t *pairs, size_t pair_count, int32_t group_size, double *out_scores, size_t capacity);

/* ================================================================================================================== */
/* Update: policy gradients of one iteration                                                      stable, since 0.1.0 */
/* ================================================================================================================== */

/* The training on one rollout as a state machine: it asks for velocities and answers with dL/dvelocity. */
typedef struct mixgrpo_update mixgrpo_update;

/* Figures of an update so far. A ratio is r of the loss. Values in nats are of the true log-density (the sum over D). NaN
 * where nothing was seen. */
typedef struct mixgrpo_update_statistics {
  uint32_t struct_size;
  int32_t optimizer_steps;      /* optimizer steps asked for */
  double loss;                  /* mean over samples and trained steps */
  double first_ratio_min;       /* smallest ratio before the first optimizer step: exactly 1 when the model answers the update as
                                   it answered the rollout */
  double first_ratio_max;       /* largest ratio before the first optimizer step: likewise 1 */
  double ratio_min;             /* smallest ratio */
  double ratio_max;             /* largest ratio */
  double clip_fraction;         /* share of ratios at which the clip stopped the gradient */
  double max_log_ratio_nats;    /* largest absolute change of log p */
  double kl_old_nats;           /* KL(old, new) of a step, mean */
  double kl_reference_nats;     /* KL(new, reference) of a step, mean; 0 without a reference */
  int64_t model_calls;          /* latents evaluated forward and backward */
} mixgrpo_update_statistics;

/* Begins the update on a finished rollout. `advantages`, `included`: (P, G), as mixgrpo_advantages writes them; `included` may be
 * NULL for all. `max_batch`: most latents in one request, 0 for no limit. The update keeps what it needs of the rollout.
 * Errors: INVALID_STATE when the rollout is not finished. */
mixgrpo_status mixgrpo_update_create(
    const mixgrpo_rollout *rollout, const mixgrpo_learning_config *config, const double *advantages,
    const uint8_t *included, size_t count, int32_t max_batch, mixgrpo_update **out_update);
void mixgrpo_update_destroy(mixgrpo_update *update);

/* The next request: EVALUATE, OPTIMIZER_STEP or FINISHED. A second call before the submit of an EVALUATE gives the same request;
 * an OPTIMIZER_STEP counts as done with the next call. `out_request`: struct_size set. */
mixgrpo_status mixgrpo_update_next(mixgrpo_update *update, mixgrpo_velocity_request *out_request);

/* Answers an EVALUATE and gives dL/dvelocity, to be backpropagated into the host's model and accumulated until the next
 * OPTIMIZER_STEP. It is already scaled: gradients are only added.
 *   velocity            (B, D) of the model in training, `count` = B*D values
 *   reference_velocity  (B, D) of the frozen reference when needs_reference, else NULL
 *   out_d_velocity      (B, D)
 * Errors: INVALID_STATE without a request; INVALID_ARGUMENT for a wrong count; NOT_FINITE for a NaN or infinite velocity or loss.
 * The request then still stands and may be answered again. */
mixgrpo_status mixgrpo_update_submit(
    mixgrpo_update *update, const float *velocity, const float *reference_velocity, size_t count, float *out_d_velocity,
    size_t d_velocity_capacity);

/* The figures of the update so far. `out_statistics`: struct_size set. */
mixgrpo_status mixgrpo_update_get_statistics(
    const mixgrpo_update *update, mixgrpo_update_statistics *out_statistics);

/* ================================================================================================================== */
/* Optimizer                                                                                      stable, since 0.1.0 */
/* ================================================================================================================== */

/* AdamW with decoupled decay, a global-norm clip, and a constant or warm-up and cosine rate. */
typedef struct mixgrpo_optimizer mixgrpo_optimizer;

/* What an optimizer step did. */
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
 * Errors: NOT_FINITE when a gradient is not finite or a weight would not be: weights and optimizer stay unchanged. */
mixgrpo_status mixgrpo_optimizer_step(
    mixgrpo_optimizer *optimizer, float *weights, const float *gradients, size_t count,
    mixgrpo_optimizer_report *out_report);

/* One step on a model with its accumulated gradients, which become 0. `out_report`: struct_size set; may be NULL.
 * Errors: NOT_FINITE when a gradient is not finite or a weight would not be: weights, gradients and optimizer stay unchanged. */
mixgrpo_status mixgrpo_optimizer_step_model(
    mixgrpo_optimizer *optimizer, mixgrpo_model *model, mixgrpo_optimizer_report *out_report);

/* Answers all requests of `update` with the built-in model, in batches that the evaluator's max_batch and max_bytes allow, and
 * steps `optimizer` on it. `reference`: an evaluator of a frozen copy, needed when kl_reference > 0, else NULL. Gradients must
 * be 0 at the start and are 0 at the end. `out_report`: struct_size set; may be NULL: of the last step; its gradient_norm is the
 * mean over this run's steps. On MIXGRPO_STATUS_CANCELLED or an error, model and optimizer are as before the call, the update is
 * back at its start, and the call may be repeated. With MIXGRPO_UNDO_NONE in the update's configuration the finished optimizer
 * steps stay, the message says how many, and a repeated call does the rest.
 * Errors: NOT_FINITE when a velocity, gradient or weight would be; INVALID_STATE when the update has begun, or when gradients are
 * not 0. */
mixgrpo_status mixgrpo_update_run(
    mixgrpo_update *update, mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts, mixgrpo_optimizer *optimizer,
    mixgrpo_evaluator *reference, mixgrpo_optimizer_report *out_report);

/* ================================================================================================================== */
/* Trainer: rollout, the host's rewards, update                                                   stable, since 0.1.0 */
/* ================================================================================================================== */

/* Joins evaluator, prompts, plan, learning and optimizer. Trains the evaluator's model in place. */
typedef struct mixgrpo_trainer mixgrpo_trainer;

/* One iteration in figures. A ratio is r of the loss. Values in nats are of the true log-density (the sum over D). NaN where
 * there is nothing to report. */
typedef struct mixgrpo_metrics {
  uint32_t struct_size;
  int32_t window_start;        /* l, the first step of the window */
  int32_t window_length;       /* w, the steps in the window */
  int32_t failed_rewards;      /* rewards that were not finite */
  int32_t degenerate_groups;   /* groups without differences in reward */
  int32_t skipped_steps;       /* optimizer steps that MIXGRPO_FAULT_POLICY_SKIP skipped */
  int32_t rolled_back;         /* flag: the update was undone by MIXGRPO_FAULT_POLICY_SKIP or
                                  MIXGRPO_FAULT_POLICY_ROLL_BACK */
  int32_t reserved;            /* 0 */
  int64_t iteration;           /* the iteration of these figures, from 0 */
  int64_t model_calls_rollout; /* latents that the rollout evaluated */
  int64_t model_calls_update;  /* latents that the update evaluated forward and backward */
  double reward_mean;          /* weighted mean over K of the rewards' means */
  double reward_std;           /* weighted mean over K of the rewards' standard deviations */
  double loss;                 /* mean over samples and trained steps */
  double first_ratio_min;      /* smallest ratio before the first optimizer step: exactly 1 */
  double first_ratio_max;      /* largest ratio before the first optimizer step: exactly 1 */
  double ratio_min;            /* smallest ratio */
  double ratio_max;            /* largest ratio */
  double clip_fraction;        /* share of ratios at which the clip stopped the gradient, 0...1 */
  double max_log_ratio_nats;   /* largest absolute change of log p */
  double kl_old_nats;          /* KL(old, new) of a step, mean */
  double kl_reference_nats;    /* KL(new, reference) of a step, mean; 0 without a reference */
  double gradient_norm;        /* mean over the minibatches, before the clip */
  double learning_rate;        /* of the last optimizer step */
  double velocity_change;      /* see max_velocity_change; NaN where it was not measured */
  double seconds_rollout;      /* wall-clock time of the rollout */
  double seconds_update;       /* wall-clock time of the update */
} mixgrpo_metrics;

/* One reward of the latest iteration. */
typedef struct mixgrpo_reward_metrics {
  uint32_t struct_size;
  int32_t failed;   /* values that were not finite */
  double mean;      /* of the finite values; NaN when there was none */
  double std;       /* standard deviation of the finite values */
  const char *name; /* as given to the trainer; belongs to the trainer and lives as long as the trainer */
} mixgrpo_reward_metrics;

/* Creates a trainer on the context of the evaluator's model, at iteration 0.
 *   reward_names  (K) distinct non-empty UTF-8 names, K in 1...1024
 *   keep_base     flag: keep a frozen copy of the weights as they are now, for samples of MIXGRPO_WEIGHTS_BASE and hybrid
 *                 samples. With kl_reference > 0 the copy is always kept
 * Errors: INVALID_ARGUMENT naming every field that does not fit, also updates_per_iteration over group_size; OUT_OF_MEMORY when
 * an iteration with one prompt is over the evaluator's max_bytes, also with recomputed activations; the message names the bytes
 * needed. */
mixgrpo_status mixgrpo_trainer_create(
    mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts, const mixgrpo_plan *plan,
    const mixgrpo_learning_config *learning, const char *const *reward_names, size_t reward_count, int32_t keep_base,
    mixgrpo_trainer **out_trainer);
void mixgrpo_trainer_destroy(mixgrpo_trainer *trainer);

/* The iteration that the next rollout belongs to; -1 for NULL. */
int64_t mixgrpo_trainer_iteration(const mixgrpo_trainer *trainer);

/* Samples a group for each of P prompts (distinct, of the trainer's). `out_samples`: (P, G, N, C) at sigma = 0. A rollout that no
 * update follows is replaced by the next one, in the same iteration and with the same random numbers. It stays when the next one
 * is cancelled or fails, unless the evaluator's max_bytes has no room for both.
 * Errors: NOT_FINITE; INVALID_STATE when the iteration has tickets; OUT_OF_MEMORY when so many prompts are over the evaluator's
 * max_bytes; the message names the bytes needed. */
mixgrpo_status mixgrpo_trainer_rollout(
    mixgrpo_trainer *trainer, const int32_t *prompt_indices, size_t prompt_count, float *out_samples, size_t capacity);

/* Sets the host's own window for the rollouts to come, 0...T - 1 - w, or MIXGRPO_WINDOW_START_SCHEDULED (the default) for the
 * plan's. */
mixgrpo_status mixgrpo_trainer_set_window(mixgrpo_trainer *trainer, int32_t window_start);

/* Trains on the latest rollout and moves to the next iteration.
 *   rewards  (K, P, G), `count` = K*P*G; NaN for a reward that failed
 *   weights  (K), each 0 or more, not all 0; or NULL with count 0 for 1 each
 * `out_metrics`: struct_size set; may be NULL.
 * On MIXGRPO_STATUS_CANCELLED or an error, weights, optimizer and iteration are as before the call, and it may be repeated. With
 * MIXGRPO_UNDO_NONE the finished optimizer steps stay, the message says how many, and the call repeated with the same rewards
 * does the rest; a checkpoint saved in between holds the weights as they are then.
 * Errors: INVALID_STATE without a rollout, while the iteration has tickets, or when the model's gradients are not 0;
 * INVALID_ARGUMENT also when an update that was stopped with MIXGRPO_UNDO_NONE is repeated with other rewards; with
 * MIXGRPO_FAULT_POLICY_STOP also NOT_FINITE and DIVERGED. */
mixgrpo_status mixgrpo_trainer_update(
    mixgrpo_trainer *trainer, const double *rewards, size_t count, const double *weights, size_t weight_count,
    mixgrpo_metrics *out_metrics);

/* The latest iteration's figures. `out_metrics`: struct_size set. Errors: INVALID_STATE before the first update. */
mixgrpo_status mixgrpo_trainer_get_metrics(const mixgrpo_trainer *trainer, mixgrpo_metrics *out_metrics);

/* The latest iteration's figures of reward `index`. `out_metrics`: struct_size set. Errors: INVALID_STATE before the first
 * update. */
mixgrpo_status mixgrpo_trainer_get_reward_metrics(
    const mixgrpo_trainer *trainer, size_t index, mixgrpo_reward_metrics *out_metrics);

/* The latest iteration's figures as one line of JSON, without line end. Its member "warnings" is an object: what kept the model
 * from learning in this iteration, such as equal rewards or a learning rate of 0, as a sentence for each kind. Errors: INVALID_STATE
 * before the first update. */
mixgrpo_status mixgrpo_trainer_get_metrics_json(
    const mixgrpo_trainer *trainer, char *out_json, size_t capacity, size_t *out_size);

/* Appends the latest iteration's figures to a file, as one line of JSON with a line end. Lines are whole or absent: an incomplete
 * last line, left by a kill, is removed before the next one is written. Errors: INVALID_STATE before the first update;
 * INPUT_OUTPUT, also when another process holds the file's lock for 10 seconds. */
mixgrpo_status mixgrpo_trainer_append_metrics(const mixgrpo_trainer *trainer, const char *path);

/* ================================================================================================================== */
/* Tickets: an iteration whose rewards come later                                                 stable, since 0.1.0 */
/* ================================================================================================================== */

/* An iteration may be drawn as several rollouts, each with a ticket. Rewards may come later and in any order, so some samples are
 * scored while others are drawn. The numbers are, to the last bit, those of one mixgrpo_trainer_rollout of all prompts in the
 * order of the tickets.
 *
 *     mixgrpo_trainer_rollout_ticket(trainer, &chosen[0], 1, first_samples, sample_values, &first);
 *     mixgrpo_trainer_rollout_ticket(trainer, &chosen[1], 1, second_samples, sample_values, &second);
 *     my_score(first_samples, rewards);                    // may run on another thread, while the second group is sampled
 *     mixgrpo_trainer_submit_rewards(trainer, first, rewards, reward_count);
 *     my_score(second_samples, rewards);
 *     mixgrpo_trainer_submit_rewards(trainer, second, rewards, reward_count);
 *     mixgrpo_trainer_update_tickets(trainer, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0, &metrics);
 */

/* What an update does about tickets without rewards. */
typedef int32_t mixgrpo_missing_rewards;
enum {
  MIXGRPO_MISSING_REWARDS_REFUSE = 0, /* return INVALID_STATE, naming the tickets */
  MIXGRPO_MISSING_REWARDS_EXCLUDE = 1 /* exclude their samples, like samples whose rewards all failed */
};

/* Samples a group for each of P prompts (distinct, of the trainer's, without a ticket in this iteration) and gives a ticket for
 * their rewards. `out_samples`: (P, G, N, C) at sigma = 0. A rollout without a ticket that no update followed is dropped.
 * While there are tickets, mixgrpo_trainer_rollout and mixgrpo_trainer_update are INVALID_STATE.
 * Errors: NOT_FINITE; OUT_OF_MEMORY also when the iteration's prompts together are over the evaluator's max_bytes;
 * INVALID_ARGUMENT also when the window was changed since the iteration's first ticket; INVALID_STATE after an update of the
 * iteration's tickets that was stopped with MIXGRPO_UNDO_NONE, until it is finished or the tickets are dropped. */
mixgrpo_status mixgrpo_trainer_rollout_ticket(
    mixgrpo_trainer *trainer, const int32_t *prompt_indices, size_t prompt_count, float *out_samples, size_t capacity,
    int64_t *out_ticket);

/* Submits the rewards of a ticket, once: (K, P, G), NaN for a reward that failed. Any thread, also while another call on this
 * trainer runs. Rewards that come during an update that excludes them count if that update fails or is cancelled.
 * Errors: INVALID_STATE for a ticket that has its rewards, or whose iteration is over. */
mixgrpo_status mixgrpo_trainer_submit_rewards(
    const mixgrpo_trainer *trainer, int64_t ticket, const double *rewards, size_t count);

/* The iteration's tickets without rewards, in the order of their rollouts. Any thread, also while another call runs. */
mixgrpo_status mixgrpo_trainer_get_open_tickets(
    const mixgrpo_trainer *trainer, int64_t *out_tickets, size_t capacity, size_t *out_size);

/* Trains on the iteration's tickets and moves to the next iteration, which closes them.
 *   weights  (K), each 0 or more, not all 0; or NULL with count 0 for 1 each
 * `out_metrics`: struct_size set; may be NULL. On MIXGRPO_STATUS_CANCELLED or an error, weights, optimizer, iteration and
 * tickets are as before the call (with MIXGRPO_UNDO_NONE the finished optimizer steps stay, and a repeated call does the rest).
 * Errors: INVALID_STATE without a ticket, naming those without rewards, or when the model's gradients are not 0;
 * INVALID_ARGUMENT also when an update that was stopped with MIXGRPO_UNDO_NONE is repeated with other rewards; with
 * MIXGRPO_FAULT_POLICY_STOP also NOT_FINITE and DIVERGED. */
mixgrpo_status mixgrpo_trainer_update_tickets(
    mixgrpo_trainer *trainer, mixgrpo_missing_rewards missing, const double *weights, size_t weight_count,
    mixgrpo_metrics *out_metrics);

/* Drops the iteration's tickets. No rewards are accepted for them any more. */
mixgrpo_status mixgrpo_trainer_drop_tickets(mixgrpo_trainer *trainer);

/* ================================================================================================================== */
/* Ranks: processes that train one model together                                                 stable, since 0.1.0 */
/* ================================================================================================================== */

/* Several processes, or threads of one, may train the built-in model together. Each is a rank with a trainer of its own, and all
 * ranks make the same calls in the same order. The host brings the transport: MPI in examples/mpi, or anything else that can do
 * the two calls below. For threads of one process the library has one: mixgrpo_local_ranks.
 *
 *     mixgrpo_collective collective = {.struct_size = sizeof collective, .rank = rank, .size = size,
 *                                      .all_gather = my_all_gather, .all_to_all = my_all_to_all};
 *     mixgrpo_trainer_set_collective(trainer, &collective);
 *     mixgrpo_trainer_rollout(trainer, chosen, prompt_count, samples, sample_values);   // all prompts; the samples of its share
 *     my_score(samples, rewards);
 *     mixgrpo_trainer_update(trainer, rewards, reward_count, NULL, 0, &metrics);        // their rewards; the metrics of all
 */

/* received <- the bytes of every rank, (size, bytes), in the order of the ranks. `sent`: (bytes), as many on every rank; size * bytes
 * is less than 2^31. Returns 0, or anything else for an error. */
typedef int32_t (*mixgrpo_all_gather_callback)(void *user_data, const void *sent, void *received, size_t bytes);

/* Gives each rank its piece and receives one from each; the pieces stand one behind the other in the order of the ranks.
 * `sent_bytes`, `received_bytes`: (size), the bytes of each piece, which may be 0; the sum of each is less than 2^31. Returns 0, or
 * anything else for an error. */
typedef int32_t (*mixgrpo_all_to_all_callback)(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes);

/* How this rank exchanges bytes with the others. Callbacks run on the thread that called the library and return when all ranks
 * have made the call. They may not call functions on the trainer. After an error the library still makes the calls that the other
 * ranks wait for. When a rank is lost, the transport must return an error on the others. */
typedef struct mixgrpo_collective {
  uint32_t struct_size;
  int32_t rank;                           /* of this process, 0...size - 1 */
  int32_t size;                           /* number of ranks, 1...1000000 */
  int32_t reserved;                       /* 0 */
  void *user_data;                        /* passed to the callbacks */
  mixgrpo_all_gather_callback all_gather; /* not NULL */
  mixgrpo_all_to_all_callback all_to_all; /* not NULL */
} mixgrpo_collective;

/* Makes this trainer one of several ranks, or one that trains alone again (NULL). Every rank calls it, and the callbacks run in it.
 *   - Of P prompts of a rollout, rank r has those from r * P / size up to, not including, (r + 1) * P / size, rounded down; a rank
 *     may have none. mixgrpo_trainer_rollout and _rollout_ticket take all prompts and write the samples of these alone;
 *     mixgrpo_trainer_update and _submit_rewards take the rewards of these alone, _submit_rewards only if there are any.
 *   - mixgrpo_evaluation_sample shares out its prompts and writes the samples of all on every rank. mixgrpo_trainer_sample and
 *     checkpoints involve no other rank. Any number of ranks may resume.
 *   - Weights, optimizer, metrics and window have the same bits on every rank and for any number of ranks. Gradients are summed
 *     prompt by prompt in a fixed order; so a trainer without a collective differs from one with a collective of size 1 by rounding.
 *   - An error or a cancel on one rank ends the call on all, with the same status and a message that names the rank. All are as
 *     before the call.
 * `user_data` must stay valid until the collective is replaced or the trainer is destroyed.
 * Errors: INVALID_STATE while samples wait for an update, and for a trainer with a model of the host's; INVALID_ARGUMENT naming rank
 * and field where ranks have other settings, prompts, reward names, weights, or another version of the library; INPUT_OUTPUT for a
 * callback that fails. */
mixgrpo_status mixgrpo_trainer_set_collective(mixgrpo_trainer *trainer, const mixgrpo_collective *collective);

/* Ranks that are threads of this process: for machines with several sockets (NUMA nodes), where the threads of each rank run on the
 * cores of one. A thread that the host has bound to cores (CPU affinity) creates the context, model and trainer of its rank: the
 * context then has one worker thread per core of these, and its workers run on them alone.
 *
 *     mixgrpo_local_ranks_create(size, 600, &ranks);    // then, on the thread of each rank:
 *     collective.struct_size = sizeof collective;
 *     mixgrpo_local_ranks_get_collective(ranks, rank, &collective);
 *     mixgrpo_trainer_set_collective(trainer, &collective);
 */
typedef struct mixgrpo_local_ranks mixgrpo_local_ranks;

/* Creates the transport.
 *   count       number of ranks, 1...1024
 *   time_limit  seconds that a call waits for the other ranks, above 0, at most 1e9; then it and all later calls of all ranks fail
 * Destroying it ends no exchange: a trainer with one of its collectives keeps the transport alive. */
mixgrpo_status mixgrpo_local_ranks_create(int32_t count, double time_limit, mixgrpo_local_ranks **out_ranks);
void mixgrpo_local_ranks_destroy(mixgrpo_local_ranks *ranks);

/* The collective of `rank`, 0...count - 1, for one trainer at a time. `out_collective`: struct_size set. A host that calls its
 * callbacks itself, such as to count bytes, must not destroy `ranks` before its last call; they return a mixgrpo_status. */
mixgrpo_status mixgrpo_local_ranks_get_collective(
    const mixgrpo_local_ranks *ranks, int32_t rank, mixgrpo_collective *out_collective);

/* Ends the current and all later calls of all ranks with INPUT_OUTPUT, because a rank makes no more calls: the others would wait for
 * it until the time limit. `reason`: for their message. Any thread. */
mixgrpo_status mixgrpo_local_ranks_abandon(const mixgrpo_local_ranks *ranks, const char *reason);

/* ================================================================================================================== */
/* Checkpoints of a trainer                                                                       stable, since 0.1.0 */
/* ================================================================================================================== */

/* Saves everything that a bit-exact continuation needs into `folder`/trainer.safetensors: weights, optimizer, averages, base,
 * iteration, window, settings and the library's version, with a checksum (XXH64). Samples that wait for an update are not saved:
 * the iteration begins again, with the same numbers. The file is written under a temporary name, synced and renamed: after a
 * kill or on a full disk the earlier file is still there. A cancel does not stop it.
 * Errors: INPUT_OUTPUT. */
mixgrpo_status mixgrpo_trainer_save(const mixgrpo_trainer *trainer, const char *folder);

/* Brings a trainer, created with the same model sizes and settings, to the state that mixgrpo_trainer_save wrote. Weights go
 * into its model. A pending rollout, tickets and the latest figures are dropped. The number of threads, max_batch, max_bytes and
 * recompute_activations may differ and change no bit. Prompts, and the model under an adapter, are not compared. State is
 * replaced only after the whole file has been validated. A cancel does not stop it.
 * Errors: INPUT_OUTPUT; INVALID_FORMAT, also when the checksum differs; INVALID_ARGUMENT naming the settings that differ. */
mixgrpo_status mixgrpo_trainer_restore(mixgrpo_trainer *trainer, const char *folder);

/* Saves what mixgrpo_trainer_save saves, but into a folder with one file for each saved iteration:
 * `folder`/iteration-00000042.safetensors is the state before iteration 42. When the new file is on the disk, all others are
 * removed except the newest `keep_last` (1...1000000) and, with keep_every > 0, those whose iteration is a multiple of it.
 * Errors: INPUT_OUTPUT; INVALID_STATE when there is a complete checkpoint of a later iteration: it belongs to another run, or
 * was not resumed from. */
mixgrpo_status mixgrpo_trainer_checkpoint(
    const mixgrpo_trainer *trainer, const char *folder, int32_t keep_last, int64_t keep_every);

/* What a trainer was resumed from. */
typedef struct mixgrpo_resumption {
  uint32_t struct_size;
  int32_t skipped;   /* newer checkpoints skipped because they are incomplete; a log line (WARNING) gives the reason for each */
  int64_t iteration; /* the one that comes next; -1 when there is no checkpoint, or no folder: nothing was changed */
} mixgrpo_resumption;

/* Brings a trainer, created with the same model sizes and settings, to the newest complete checkpoint that
 * mixgrpo_trainer_checkpoint wrote into `folder`. What may differ, and what is dropped: see mixgrpo_trainer_restore.
 * `out_resumption`: struct_size set; may be NULL.
 * Errors: INVALID_FORMAT when there are checkpoints and none is complete; INVALID_ARGUMENT naming the settings that differ from
 * the newest complete one's; INPUT_OUTPUT. */
mixgrpo_status mixgrpo_trainer_resume(
    mixgrpo_trainer *trainer, const char *folder, mixgrpo_resumption *out_resumption);

/* ================================================================================================================== */
/* Deterministic samples: evaluation and inference                                                stable, since 0.1.0 */
/* ================================================================================================================== */

/* How deterministic samples are drawn. */
typedef struct mixgrpo_sample_config {
  uint32_t struct_size;
  int32_t steps;                         /* T. Default 25, 1...10000 */
  mixgrpo_solver solver;                 /* of all steps. Default EULER */
  int32_t samples_per_prompt;            /* S. Default 1, 1...4096 */
  double shift;                          /* of the time grid. Default 3, above 0, at most 1000 */
  int32_t image_tokens;                  /* above 0: use the shift that belongs to this number of tokens in place of `shift`.
                                            Default 0, 0...1000000 */
  mixgrpo_sigma_rounding sigma_rounding; /* Default EXACT */
  double trained_model_share;            /* p_mix of hybrid inference (Mix 5): this share of the steps, rounded to the nearest and
                                            counted from sigma = 1, uses the given model, the rest the base. Default 1, 0...1 */
  uint64_t seed;                         /* of the initial noise. Default 0 */
  const double *sigmas;                  /* (sigma_count), the host's own time grid in place of steps, shift and image_tokens:
                                            T + 1 values, strictly decreasing, the first at most 1, the last 0. Or NULL, the
                                            default. Read during the call that the configuration is given to */
  size_t sigma_count;                    /* 2...10001; 0 with NULL */
} mixgrpo_sample_config;

/* Writes the defaults given above. `struct_size`: sizeof(mixgrpo_sample_config). */
mixgrpo_status mixgrpo_sample_config_init(mixgrpo_sample_config *out_config, size_t struct_size);

/* Draws S samples for each of P prompts with the built-in model. The noise depends only on seed, place in prompt_indices and
 * number of the sample, so two models can be compared on the same noise.
 *   base            evaluator of the base model, needed when trained_model_share < 1, else NULL
 *   prompt_indices  (P), rows of `prompts`, repetitions allowed
 *   initial_noise   NULL with count 0, or the host's own (P, S, N, C)
 *   out_samples     (P, S, N, C) at sigma = 0
 * Errors: INVALID_ARGUMENT when the prompts' length or widths do not fit the evaluator; NOT_FINITE when a velocity or sample
 * would not be finite. */
mixgrpo_status mixgrpo_evaluator_sample(
    mixgrpo_evaluator *evaluator, mixgrpo_evaluator *base, const mixgrpo_prompts *prompts,
    const mixgrpo_sample_config *config, const int32_t *prompt_indices, size_t prompt_count, const float *initial_noise,
    size_t noise_count, float *out_samples, size_t capacity);

/* Draws S samples for each of P prompts with the trainer's own weights and prompts. The noise depends only on seed, place in
 * prompt_indices and number of the sample. A pending rollout stays.
 *   prompt_indices  (P), of the trainer's prompts, repetitions allowed
 *   initial_noise   NULL with count 0, or the host's own (P, S, N, C)
 *   out_samples     (P, S, N, C) at sigma = 0
 * Errors: NOT_FINITE when a velocity or sample would not be finite; INVALID_STATE when the base or the average is asked for and
 * not kept. */
mixgrpo_status mixgrpo_trainer_sample(
    mixgrpo_trainer *trainer, mixgrpo_weights weights, const mixgrpo_sample_config *config, const int32_t *prompt_indices,
    size_t prompt_count, const float *initial_noise, size_t noise_count, float *out_samples, size_t capacity);

/* Writes one of the trainer's sets of weights as a diffusers folder, like mixgrpo_model_save.
 * Errors: INPUT_OUTPUT; INVALID_STATE when the base or the average is asked for and not kept. */
mixgrpo_status mixgrpo_trainer_save_model(
    const mixgrpo_trainer *trainer, mixgrpo_weights weights, const char *folder, mixgrpo_storage storage);

/* ================================================================================================================== */
/* Trainer for a model that the host owns                                                    experimental, since 0.1.0 */
/* ================================================================================================================== */

/* The same iteration (window, tickets, advantages, faults, undo, figures), but velocities, gradients and optimizer steps come
 * from the host: PROGRAM 3 at the top of this header. The host begins a rollout, an update or deterministic samples, then
 * answers requests until FINISHED. What to do, by request.kind:
 *   EVALUATE         evaluate the request's `weights` on its latents (with needs_reference also the reference), call
 *                    mixgrpo_trainer_submit, and with needs_gradient carry dL/dvelocity back through the model: gradients add up
 *   OPTIMIZER_STEP   clip the gradients to max_gradient_norm, step with the learning rate times rate_factor, zero the
 *                    gradients, call mixgrpo_trainer_submit_step
 *   KEEP_STATE       copy all that an optimizer step changes: weights, optimizer, schedule, averages
 *   RESTORE_STATE    bring back that copy
 *   ZERO_GRADIENTS   zero the accumulated gradients
 *   COMBINE_FIGURES  only after mixgrpo_trainer_set_rank: exchange the figures of the ranks
 * mixgrpo_trainer_rollout, _rollout_ticket, _update, _update_tickets, _sample, _save, _restore, _checkpoint, _resume, _save_model
 * and mixgrpo_evaluation_sample need the built-in model: they are INVALID_STATE for such a trainer. The functions of this section
 * are INVALID_STATE for a trainer with the built-in model. All others serve both. */

/* What a trainer must know about the host's model. */
typedef struct mixgrpo_host_config {
  uint32_t struct_size;
  int32_t max_batch;     /* most latents in one request; changes no result. Default 0 (no limit), 0 or more */
  size_t prompt_count;   /* prompt indices are 0...prompt_count - 1. Default 0, which must be replaced by 1...2147483647 */
  size_t latent_size;    /* D, values in one latent. Default 0, which must be replaced by 1...1000000000 */
} mixgrpo_host_config;

/* Writes the defaults given above. `struct_size`: sizeof(mixgrpo_host_config). */
mixgrpo_status mixgrpo_host_config_init(mixgrpo_host_config *out_config, size_t struct_size);

/* Creates a trainer for a model of the host's, at iteration 0. `reward_names`: (K) distinct non-empty UTF-8 names, K in 1...1024.
 * Errors: INVALID_ARGUMENT naming every field that does not fit, also settings of the optimizer (schedule to weight_decay) and
 * ema_decay that are not at their defaults, because the host's own optimizer does not know them. */
mixgrpo_status mixgrpo_trainer_create_for_host(
    const mixgrpo_context *context, const mixgrpo_plan *plan, const mixgrpo_learning_config *learning,
    const mixgrpo_host_config *host, const char *const *reward_names, size_t reward_count, mixgrpo_trainer **out_trainer);

/* Begins to sample a group for each of P prompts (distinct, 0...prompt_count - 1). A rollout or samples that are not finished are
 * dropped; a finished rollout stays until this one is finished.
 *   with_ticket  flag: the rollout gets a ticket for its rewards, see Tickets above; mixgrpo_trainer_get_samples gives the ticket
 * Errors: INVALID_STATE while an update is not finished. Without a ticket: INVALID_STATE while the iteration has tickets. With a
 * ticket: INVALID_ARGUMENT for a prompt that has one in this iteration, or when the window was changed since the iteration's first
 * ticket; INVALID_STATE after an update that was stopped with MIXGRPO_UNDO_NONE, until it is finished or the tickets are
 * dropped. */
mixgrpo_status mixgrpo_trainer_begin_rollout(
    mixgrpo_trainer *trainer, const int32_t *prompt_indices, size_t prompt_count, int32_t with_ticket);

/* Begins to draw S deterministic samples for each of P prompts. The noise depends only on seed, place in prompt_indices and number
 * of the sample. A finished rollout stays.
 *   weights         come back in the requests; the last steps with trained_model_share < 1 ask for BASE
 *   prompt_indices  (P), each 0...prompt_count - 1, repetitions allowed
 *   initial_noise   NULL with count 0, or the host's own (P, S, D)
 * Errors: INVALID_STATE while an update is not finished. */
mixgrpo_status mixgrpo_trainer_begin_sample(
    mixgrpo_trainer *trainer, mixgrpo_weights weights, const mixgrpo_sample_config *config, const int32_t *prompt_indices,
    size_t prompt_count, const float *initial_noise, size_t noise_count);

/* Begins to train on the latest rollout. When all is finished, the trainer is at the next iteration. The host's gradients must be
 * zero.
 *   rewards  (K, P, G), `count` = K*P*G; NaN for a reward that failed
 *   weights  (K), each 0 or more, not all 0; or NULL with count 0 for 1 each
 * Errors: INVALID_STATE without a rollout, while the iteration has tickets, or while another update is not finished. */
mixgrpo_status mixgrpo_trainer_begin_update(
    mixgrpo_trainer *trainer, const double *rewards, size_t count, const double *weights, size_t weight_count);

/* Begins to train on the iteration's tickets. When all is finished, the trainer is at the next iteration and the tickets are
 * closed. The host's gradients must be zero.
 *   weights  (K), each 0 or more, not all 0; or NULL with count 0 for 1 each
 * Errors: INVALID_STATE without a ticket, naming tickets without rewards, or while another update is not finished. */
mixgrpo_status mixgrpo_trainer_begin_update_tickets(
    mixgrpo_trainer *trainer, mixgrpo_missing_rewards missing, const double *weights, size_t weight_count);

/* The next request; FINISHED when nothing is left. A second call before the answer gives the same request. `out_request`:
 * struct_size set.
 * Errors: after a cancel CANCELLED, until mixgrpo_context_reset_cancel continues the work or mixgrpo_trainer_fail ends it; after
 * mixgrpo_trainer_fail its status, once all is undone; NOT_FINITE when a latent of a rollout has overflowed. */
mixgrpo_status mixgrpo_trainer_next(mixgrpo_trainer *trainer, mixgrpo_velocity_request *out_request);

/* Answers an EVALUATE.
 *   velocity            (B, D), `count` = B*D values
 *   reference_velocity  (B, D) of the frozen reference when needs_reference, else NULL
 *   out_d_velocity      (B, D), dL/dvelocity, when needs_gradient; else NULL with capacity 0
 * Errors: INVALID_STATE without such a request; INVALID_ARGUMENT for a wrong count; NOT_FINITE for a NaN or infinite velocity or
 * loss; DIVERGED when the update has changed the velocity by more than max_velocity_change. The request then still stands: answer
 * it again or call mixgrpo_trainer_fail. */
mixgrpo_status mixgrpo_trainer_submit(
    mixgrpo_trainer *trainer, const float *velocity, const float *reference_velocity, size_t count, float *out_d_velocity,
    size_t d_velocity_capacity);

/* Answers an OPTIMIZER_STEP with figures for the metrics: the norm of all gradients before the clip, and the learning rate of the
 * step. Errors: INVALID_STATE without such a request. */
mixgrpo_status mixgrpo_trainer_submit_step(mixgrpo_trainer *trainer, double gradient_norm, double learning_rate);

/* Makes this trainer one of `rank_count` (1...1000000) that train one model together, each in its own process with the same
 * settings. `rank`: 0...rank_count - 1. Every rank begins the same rollouts and samples, with the prompts of all ranks, and the same
 * updates, with the rewards of all ranks. The trainer samples and evaluates its share: of P prompts, rank r has those from
 * r * P / rank_count up to, not including, (r + 1) * P / rank_count, rounded down; a rank may have none. It gives the samples of
 * these alone; `sample` of a request counts them from 0.
 *   - The losses of all ranks have one denominator: the host adds up the gradients of all ranks before each OPTIMIZER_STEP.
 *   - Every rank gets the same optimizer steps, also without an EVALUATE before them. Before and after each, and before
 *     COMBINE_FIGURES is answered, the host makes sure that no rank has failed; else every rank calls mixgrpo_trainer_fail with the
 *     same status.
 *   - Advantages, metrics, warnings and the window are then the same on every rank, and those of one process, up to the rounding of
 *     sums.
 * Errors: INVALID_STATE while samples wait for an update, or work is in progress. */
mixgrpo_status mixgrpo_trainer_set_rank(mixgrpo_trainer *trainer, int32_t rank, int32_t rank_count);

/* Values in the figures of one rank. */
#define MIXGRPO_FIGURE_COUNT 15

/* The figures of this rank, after COMBINE_FIGURES. The host gives them to all ranks.
 *   out_figures  (MIXGRPO_FIGURE_COUNT)
 * Errors: INVALID_STATE without such a request. */
mixgrpo_status mixgrpo_trainer_get_figures(const mixgrpo_trainer *trainer, double *out_figures, size_t capacity);

/* Answers a COMBINE_FIGURES.
 *   figures  (rank_count, MIXGRPO_FIGURE_COUNT), of each rank in order
 * Errors: INVALID_STATE without such a request; INVALID_ARGUMENT for values that mixgrpo_trainer_get_figures cannot have given. */
mixgrpo_status mixgrpo_trainer_submit_figures(mixgrpo_trainer *trainer, const double *figures, size_t count);

/* Reports that a request could not be answered, or that mixgrpo_trainer_next or _submit returned `status`. A rollout or samples
 * are dropped. An update follows fault_policy when `status` is NOT_FINITE or DIVERGED. Otherwise it is undone as a whole (with
 * MIXGRPO_UNDO_NONE it stops where it is), and mixgrpo_trainer_begin_update or _begin_update_tickets may repeat it.
 *   status   not OK; CANCELLED when the user stopped the work
 *   message  UTF-8 for mixgrpo_last_error, or NULL to keep its present text
 * Returns OK when the host continues with mixgrpo_trainer_next, which asks for RESTORE_STATE and the like, then gives the next
 * minibatch, FINISHED, or the error. Returns `status` when no work was begun; mixgrpo_last_error keeps its text. */
mixgrpo_status mixgrpo_trainer_fail(mixgrpo_trainer *trainer, mixgrpo_status status, const char *message);

/* The latest samples at sigma = 0: (P, G, D) of a rollout or (P, S, D) of deterministic samples. `out_ticket`: the rollout's
 * ticket, otherwise 0; may be NULL. Errors: INVALID_STATE when there are none, for example after an update. */
mixgrpo_status mixgrpo_trainer_get_samples(
    const mixgrpo_trainer *trainer, float *out_samples, size_t capacity, int64_t *out_ticket);

/* What the host saves in its own checkpoint beside weights and optimizer: iteration, window, roll-backs and the settings, as one
 * line of JSON. Samples that wait for an update are not saved: the iteration begins again, with the same numbers.
 * Errors: INVALID_STATE while an update is not finished. */
mixgrpo_status mixgrpo_trainer_get_progress(
    const mixgrpo_trainer *trainer, char *out_json, size_t capacity, size_t *out_size);

/* Brings a trainer, created with the same settings, to the state that mixgrpo_trainer_get_progress gave. The host loads its weights
 * and optimizer itself. A finished rollout, tickets and the latest figures are dropped. State is replaced only after all has been
 * validated.
 * Errors: INVALID_FORMAT; INVALID_ARGUMENT naming the settings that differ; INVALID_STATE while an update is not finished. */
mixgrpo_status mixgrpo_trainer_set_progress(mixgrpo_trainer *trainer, const char *json);

/* ================================================================================================================== */
/* Evaluation: the best model, and a watchdog against reward hacking                              stable, since 0.1.0 */
/* ================================================================================================================== */

/* Regular evaluations of a model in training: always the same prompts and the same noise, which no training sees, scored by any
 * rewards of the host, also by rewards held out from training.
 *
 *     if (mixgrpo_evaluation_is_due(evaluation, mixgrpo_trainer_iteration(trainer))) {
 *       mixgrpo_evaluation_sample(evaluation, trainer, samples, sample_values);    // (P, S, N, C) floats
 *       my_scores(samples, scores);                                                // (K, P, S) doubles
 *       mixgrpo_evaluation_submit(evaluation, mixgrpo_trainer_iteration(trainer), scores, score_count, &result);
 *       if (result.verdict == MIXGRPO_VERDICT_STOP) break;
 *     }
 *
 * A host that owns the model and has no trainer draws the samples itself, without mixgrpo_evaluation_sample. */
typedef struct mixgrpo_evaluation mixgrpo_evaluation;

/* What the watchdog does when the trained rewards rise while the held-out ones fall. */
typedef int32_t mixgrpo_watchdog;
enum {
  MIXGRPO_WATCHDOG_OFF = 0,  /* nothing */
  MIXGRPO_WATCHDOG_WARN = 1, /* gives the verdict WARN */
  MIXGRPO_WATCHDOG_STOP = 2  /* gives the verdict STOP */
};

/* What the host should do after an evaluation. */
typedef int32_t mixgrpo_verdict;
enum {
  MIXGRPO_VERDICT_CONTINUE = 0, /* go on */
  MIXGRPO_VERDICT_WARN = 1,     /* warn that training may exploit its rewards */
  MIXGRPO_VERDICT_STOP = 2      /* stop training */
};

/* When a model is evaluated, and what is kept of it. The level of a reward is its mean, counted from its first evaluation in
 * standard deviations of its scores then. The levels of the trained rewards are averaged, and so are those of the held-out ones.
 * The watchdog remembers the evaluation with the highest held-out level. An evaluation is suspicious when its held-out level is
 * more than watchdog_minimum_delta below that one, and its trained level more than watchdog_minimum_delta above that one. */
typedef struct mixgrpo_evaluation_config {
  uint32_t struct_size;
  int32_t every;                 /* k: iterations 0, k, 2k, ... are due. Default 10, 1...1000000 */
  mixgrpo_weights weights;       /* that are evaluated, not BASE. Default TRAINED */
  int32_t keep_best;             /* flag: keep a copy of the best weights. Default 1 */
  mixgrpo_watchdog watchdog;     /* Default OFF; otherwise needs trained and held-out rewards */
  int32_t watchdog_patience;     /* consecutive suspicious evaluations before the watchdog triggers. Default 3, 1...1000000 */
  double watchdog_minimum_delta; /* the change that counts, standard deviations. Default 0, 0...1000 */
} mixgrpo_evaluation_config;

/* One evaluation in figures. */
typedef struct mixgrpo_evaluation_result {
  uint32_t struct_size;
  int32_t is_best;         /* flag: the score is the highest so far */
  mixgrpo_verdict verdict; /* what the host should do now */
  int32_t failed;          /* scores that were not finite; they are excluded, never counted as 0 */
  int32_t worsening;       /* consecutive suspicious evaluations */
  int32_t reserved;        /* 0 */
  int64_t iteration;       /* of the trainer when the samples were drawn */
  int64_t best_iteration;  /* -1 when no evaluation had a score */
  double score;            /* weighted mean over K of the rewards' means; NaN when one of nonzero weight has none */
  double best_score;       /* the highest score so far, that of best_iteration */
  const char *message;     /* the reason, in one line; "" with CONTINUE. Belongs to the evaluation, valid until its next submit */
} mixgrpo_evaluation_result;

/* Writes the defaults given above. `struct_size`: sizeof(mixgrpo_evaluation_config). */
mixgrpo_status mixgrpo_evaluation_config_init(mixgrpo_evaluation_config *out_config, size_t struct_size);

/* Creates an evaluation without results.
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

/* 1 when an iteration that is about to be trained must be evaluated first; otherwise (and for NULL) 0. */
int32_t mixgrpo_evaluation_is_due(const mixgrpo_evaluation *evaluation, int64_t iteration);

/* Draws the samples of an evaluation, (P, S, N, C) at sigma = 0, from the same noise each time. A pending rollout of the trainer
 * stays. The trainer may go on before the scores come: the weights of these samples are kept until then.
 * Errors: NOT_FINITE; INVALID_STATE when the average is asked for and not kept. */
mixgrpo_status mixgrpo_evaluation_sample(
    mixgrpo_evaluation *evaluation, mixgrpo_trainer *trainer, float *out_samples, size_t capacity);

/* Begins to draw the samples of an evaluation with a trainer for a model that the host owns. The host answers
 * mixgrpo_trainer_next until FINISHED, then mixgrpo_trainer_get_samples gives the samples, (P, S, D). Experimental.
 * Errors: INVALID_STATE while an update is not finished. */
mixgrpo_status mixgrpo_evaluation_begin_sample(const mixgrpo_evaluation *evaluation, mixgrpo_trainer *trainer);

/* Submits the scores of an evaluation.
 *   iteration  the trainer's when the samples were drawn; later than that of the evaluation before
 *   scores     (K, P, S), NaN for one that failed; `count` = K*P*S
 * `out_result`: struct_size set. */
mixgrpo_status mixgrpo_evaluation_submit(
    mixgrpo_evaluation *evaluation, int64_t iteration, const double *scores, size_t count,
    mixgrpo_evaluation_result *out_result);

/* The means (K) of the latest evaluation's finite scores, NaN for a reward without any. Errors: INVALID_STATE before the first
 * evaluation, and after mixgrpo_evaluation_restore. */
mixgrpo_status mixgrpo_evaluation_get_means(const mixgrpo_evaluation *evaluation, double *out_means, size_t capacity);

/* The watchdog's last verdict. mixgrpo_evaluation_restore brings it back, judged by the present watchdog settings, so that a run
 * that the watchdog stopped is not resumed by mistake. Either output may be NULL.
 *   out_iteration  of the latest evaluation; -1 before the first
 *   out_verdict    CONTINUE before the first */
mixgrpo_status mixgrpo_evaluation_get_verdict(
    const mixgrpo_evaluation *evaluation, int64_t *out_iteration, mixgrpo_verdict *out_verdict);

/* Copies the best weights into a model of the same sizes: one with the same kind of adapter if an adapter was evaluated, or one without
 * after it was restored, which merges them. Errors: INVALID_STATE when none are kept; INVALID_ARGUMENT for another model. */
mixgrpo_status mixgrpo_evaluation_get_best(const mixgrpo_evaluation *evaluation, mixgrpo_model *model);

/* Writes the best weights as a diffusers folder, like mixgrpo_model_save. Errors: INVALID_STATE when none are kept;
 * INPUT_OUTPUT. */
mixgrpo_status mixgrpo_evaluation_save_best(
    const mixgrpo_evaluation *evaluation, const char *folder, mixgrpo_storage storage);

/* Saves what a continuation needs into `folder`/evaluation.safetensors: the best result with its weights, and the watchdog's
 * memory. The folder may be the trainer's. The file is written under a temporary name and renamed. Errors: INPUT_OUTPUT. */
mixgrpo_status mixgrpo_evaluation_save(const mixgrpo_evaluation *evaluation, const char *folder);

/* Brings an evaluation, created with the same rewards, prompts and sampling, to the saved state.
 * Errors: INPUT_OUTPUT; INVALID_FORMAT; INVALID_ARGUMENT naming the settings that differ. */
mixgrpo_status mixgrpo_evaluation_restore(mixgrpo_evaluation *evaluation, const char *folder);

/* ================================================================================================================== */
/* Stateless pieces. All may be called from any thread.                                     experimental, since 0.1.0 */
/* ================================================================================================================== */

/* The time grid: steps + 1 noise levels from 1 to 0 exactly.
 *   steps         1...10000
 *   shift         above 0, at most 1000
 *   image_tokens  0...1000000; above 0: use the shift that belongs to this number of tokens in place of `shift` */
mixgrpo_status mixgrpo_time_grid(
    int32_t steps, double shift, int32_t image_tokens, double *out_sigmas, size_t capacity);

/* The stochastic step from `sigma` to `next_sigma`, 1 >= sigma > next_sigma >= 0. `out_step`: struct_size set. At sigma = 1 FLOW
 * takes next_sigma for the sigma in its denominator. Errors: INVALID_ARGUMENT also when no real step exists there. */
mixgrpo_status mixgrpo_stochastic_step(
    mixgrpo_dynamics dynamics, double noise_level, double sigma, double next_sigma, mixgrpo_step *out_step);

/* The deterministic step `index` of the time grid `sigmas` (count - 1 steps; strictly decreasing, from at most 1 to 0), its order
 * lowered to what its place allows. `out_step`: struct_size set. */
mixgrpo_status mixgrpo_deterministic_step(
    mixgrpo_solver solver, const double *sigmas, size_t sigma_count, size_t index, mixgrpo_step *out_step);

/* The log-probability of a stochastic step x -> x', in nats; mu = latent*x + velocity*v.
 *   form                            any but GUARDED, which needs the step's own noise
 *   latents, velocity, next_latents (B, D)
 *   out_log_probabilities           (B)
 * Errors: INVALID_ARGUMENT for a step whose noise is 0. */
mixgrpo_status mixgrpo_step_log_probability(
    const mixgrpo_step *step, mixgrpo_log_probability form, const float *latents, const float *velocity,
    const float *next_latents, size_t count, size_t latent_size, double *out_log_probabilities, size_t capacity);

/* The clipped policy loss of one stochastic step and its gradient (Mix 3.1):
 *   L = mean_B max(-A r, -A clip(r, 1 - clip_range, 1 + clip_range)) + the KL terms set in `config`.
 *   form                                    any but GUARDED, which needs the step's own noise
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

/* `count` standard normal floats that depend only on (seed, stream, index): the same on every machine and in any order of calls.
 * Streams are the host's own and independent of everything that the library draws. */
mixgrpo_status mixgrpo_normal_noise(
    uint64_t seed, uint64_t stream, uint64_t index, float *out_values, size_t count);

/* ================================================================================================================== */
/* Conveniences: hashed words                                                               experimental, since 0.1.0 */
/* ================================================================================================================== */

/* Encodes UTF-8 prompts by hashing their words: a deterministic stand-in for a text encoder, for examples and tests. Each word
 * becomes a fixed pseudo-random vector derived from its letters, plus one for its position; the pooled embedding is the scaled
 * sum of its words. It encodes which words stand where, and no meaning: models trained with a text encoder need that encoder's
 * embeddings. Words are runs of letters, digits and non-ASCII bytes, in lower case. Words after `text_length` have no token;
 * tokens after the last word are 0.
 *   prompt_count  1...65536;  text_length  L, 1...4096;  text_width  J, 1...16384;  pooled_width  Q, 1...16384
 *   out_text      (prompt_count, L, J)
 *   out_pooled    (prompt_count, Q) */
mixgrpo_status mixgrpo_hashed_words_encode(
    const char *const *prompts, size_t prompt_count, int32_t text_length, int32_t text_width, int32_t pooled_width,
    float *out_text, size_t text_capacity, float *out_pooled, size_t pooled_capacity);

/* Creates a prompts object from the embeddings of mixgrpo_hashed_words_encode, which gives the ranges. */
mixgrpo_status mixgrpo_prompts_create_hashed_words(
    const mixgrpo_context *context, const char *const *prompts, size_t prompt_count, int32_t text_length,
    int32_t text_width, int32_t pooled_width, mixgrpo_prompts **out_prompts);

/* ================================================================================================================== */
/* Conveniences: pixels, images, PNG                                                        experimental, since 0.1.0 */
/* ================================================================================================================== */

/* Pixels are bytes, (B, height, width, 3): rows from the top; red, green, blue. A token is one square patch of patch^2 pixels,
 * its channels in the order (row, column, colour): C = 3*patch^2, N = (height/patch)*(width/patch). A byte u is the value
 * u/127.5 - 1 in [-1, 1]. A value is clipped to [-1, 1] and rounded to the nearest byte, so bytes survive the way there and
 * back. Height and width are multiples of `patch` (at least 1), 1...65535, and have at most 2^26 pixels. */

/* Converts latents to pixels. `latent_count`: image_count*3*height*width. Errors: NOT_FINITE for a NaN or infinite latent. */
mixgrpo_status mixgrpo_pixels_decode(
    const float *latents, size_t latent_count, size_t image_count, int32_t height, int32_t width, int32_t patch,
    uint8_t *out_pixels, size_t capacity);

/* Converts pixels to latents. `pixel_count`: image_count*3*height*width. */
mixgrpo_status mixgrpo_pixels_encode(
    const uint8_t *pixels, size_t pixel_count, size_t image_count, int32_t height, int32_t width, int32_t patch,
    float *out_latents, size_t capacity);

/* An 8-bit RGB image with text entries. */
typedef struct mixgrpo_image mixgrpo_image;

/* The sizes of an image. */
typedef struct mixgrpo_image_info {
  uint32_t struct_size;
  int32_t width;      /* pixels */
  int32_t height;     /* pixels */
  int32_t reserved;   /* 0 */
  size_t text_count;  /* text entries */
} mixgrpo_image_info;

/* One text entry, UTF-8. The key: 1...79 printable Latin-1 characters, without outer or double spaces. The value: at most 4
 * MiB. */
typedef struct mixgrpo_text {
  const char *key;
  const char *value;
} mixgrpo_text;

/* Copies pixels (height, width, 3) in. Sides 1...65535, at most 2^26 pixels; `count` = height*width*3. */
mixgrpo_status mixgrpo_image_create(
    const uint8_t *pixels, size_t count, int32_t width, int32_t height, mixgrpo_image **out_image);

/* Puts `image_count` images of one size, (B, height, width, 3), `count` bytes in all, into a grid of `columns` columns, row by
 * row, with `gap` white pixels between neighbours (0...65535). Each pixel becomes a square of scale^2 pixels (1...65535). */
mixgrpo_status mixgrpo_image_create_grid(
    const uint8_t *pixels, size_t count, size_t image_count, int32_t width, int32_t height, int32_t columns, int32_t gap,
    int32_t scale, mixgrpo_image **out_image);

/* Reads a PNG, with its text entries, from memory or from a file. Grey and palettes become RGB, 16 bits become 8, transparency
 * is laid on white in sRGB values, as browsers do. Only the chunks that decide the pixels, and uncompressed texts, are read.
 * Errors: INVALID_FORMAT when it is not a complete and valid PNG, or has more than 2^26 pixels; INPUT_OUTPUT. */
mixgrpo_status mixgrpo_image_decode(const uint8_t *png, size_t size, mixgrpo_image **out_image);
mixgrpo_status mixgrpo_image_load(const char *path, mixgrpo_image **out_image);
void mixgrpo_image_destroy(mixgrpo_image *image);

/* The image's sizes. `out_info`: struct_size set. */
mixgrpo_status mixgrpo_image_get_info(const mixgrpo_image *image, mixgrpo_image_info *out_info);

/* The pixels (height, width, 3). */
mixgrpo_status mixgrpo_image_get_pixels(const mixgrpo_image *image, uint8_t *out_pixels, size_t capacity);

/* Text entry `index`. Its strings belong to the image and are valid until its texts are set or it is destroyed. */
mixgrpo_status mixgrpo_image_get_text(const mixgrpo_image *image, size_t index, mixgrpo_text *out_text);

/* Replaces all text entries, such as prompt, seed and reward. `texts` may be NULL with count 0; at most 1024. */
mixgrpo_status mixgrpo_image_set_texts(mixgrpo_image *image, const mixgrpo_text *texts, size_t text_count);

/* Writes a PNG, with its text entries, to memory, or to a file (under a temporary name, then renamed). Errors: INPUT_OUTPUT. */
mixgrpo_status mixgrpo_image_encode(const mixgrpo_image *image, uint8_t *out_png, size_t capacity, size_t *out_size);
mixgrpo_status mixgrpo_image_save(const mixgrpo_image *image, const char *path);

#ifdef __cplusplus
}
#endif

#endif
