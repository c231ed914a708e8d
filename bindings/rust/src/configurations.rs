// Generated from the library's table of settings; write it anew with `make generate` instead of editing it.
//! The configurations. `Default` gives the defaults that each field states.

use crate::enums::*;
use crate::mirror::mirrored_configurations;

mirrored_configurations! {
    /// The sizes of a model. The names are those of diffusers' config.json.
    ModelConfig = mixgrpo_model_config {
        /// C, channels of an image token. Default 48, range 1…65536.
        in_channels: i32 = 48,
        /// Channels of the velocity; sampling needs `in_channels`. Default 48, range 1…65536.
        out_channels: i32 = 48,
        /// Double-stream blocks. Default 2, range 0…1000.
        num_layers: i32 = 2,
        /// Single-stream blocks. Default 4, range 0…1000.
        num_single_layers: i32 = 4,
        /// Channels of an attention head, the sum of `axes_dims_rope`. Default 32, range 2…4096.
        attention_head_dim: i32 = 32,
        /// Attention heads; times `attention_head_dim` at most 65536. Default 4, range 1…1024.
        num_attention_heads: i32 = 4,
        /// J, width of a text token. Default 64, range 1…65536.
        joint_attention_dim: i32 = 64,
        /// Q, width of the pooled text. Default 64, range 1…65536.
        pooled_projection_dim: i32 = 64,
        /// Whether the model takes a guidance value. Default false.
        guidance_embeds: bool = false,
        /// Rotary dimensions of the three position axes, each even. Default 4, 14, 14, range each 0…4096.
        axes_dims_rope: [i32; 3] = [4, 14, 14],
    }

    /// Settings of a new low-rank adapter (LoRA): W' = W + factor · B · A with W frozen, A (rank, inputs), B (outputs,
    /// rank). An adapter is usually trained at a higher learning rate than all weights are.
    LoraConfig = mixgrpo_lora_config {
        /// Rank of the adapter; at most the sizes of each adapted layer. Default 16, range 1…65536.
        rank: i32 = 16,
        /// The adapter counts alpha / rank times. Default 16, range above 0, at most 65536.
        alpha: f64 = 16.0,
        /// Divide alpha by the root of the rank. Default false.
        rank_stabilized: bool = false,
        /// Seed of the first values of A; B starts at 0. Default 0, range 0…2^64 - 1.
        seed: u64 = 0,
    }

    /// The image size, the working memory and the precision of an evaluator.
    EvaluatorConfig = mixgrpo_evaluator_config {
        /// Rows of image tokens. Default 8, range 1…4096 tokens.
        height_tokens: i32 = 8,
        /// Columns of image tokens; times `height_tokens` at most 65536. Default 8, range 1…4096 tokens.
        width_tokens: i32 = 8,
        /// L, text tokens of every prompt. Default 16, range 1…65536 tokens.
        text_length: i32 = 16,
        /// Latents that are evaluated, or whose activations are kept, at a time; memory grows with it. Default 16,
        /// range 1…65536 latents.
        max_batch: i32 = 16,
        /// Keep only the input of each block and compute the block again in the backward: a fraction of the memory, one
        /// more forward, the same bits. Default false.
        recompute_activations: bool = false,
        /// Factors of the products in the model's blocks and their attention; sums, softmax and gradients of weights
        /// are float32 with both. Default `Float32`.
        precision: Precision = Precision::Float32,
        /// Guidance value for a model with `guidance_embeds`. Default 3.5, range 0…1000.
        guidance: f64 = 3.5,
        /// Memory that model, evaluator and training may take; batches are split to stay within it; 0 for no limit.
        /// Default 0, range 0 or more bytes.
        max_bytes: usize = 0,
    }

    /// How samples are drawn. The window has w steps and starts at l in 0...T - 1 - w: the last step is never in it.
    SamplingConfig = mixgrpo_sampling_config {
        /// T, steps of the time grid from noise (sigma = 1) to image (sigma = 0). Default 25, range 2…10000.
        steps: i32 = 25,
        /// s of the time grid sigma = s·t/(1 + (s - 1)·t), t = 1 - i/T; 1 for none. Default 3, range above 0, at most
        /// 1000.
        shift: f64 = 3.0,
        /// Above 0, the shift that belongs to this number of image tokens is used in place of shift. Default 0, range
        /// 0…1000000 tokens.
        image_tokens: i32 = 0,
        /// How sigma is rounded before it is passed to the model. Default `Exact`.
        sigma_rounding: SigmaRounding = SigmaRounding::Exact,
        /// Stochastic step inside the window. Default `Flow`.
        dynamics: Dynamics = Dynamics::Flow,
        /// Solver of the steps outside the window. Default `Euler`.
        solver: Solver = Solver::Euler,
        /// eta, amount of noise in a stochastic step; with dynamics cps the angle is eta·pi/2 and eta at most 1.
        /// Default 0.7, range above 0, at most 10.
        noise_level: f64 = 0.7,
        /// r of MixGRPO-Flash, which replaces the R steps after the window by max(1, floor(r·R)); 0 for all R, not with
        /// `window_mode` all. Default 0, range 0…1.
        flash_ratio: f64 = 0.0,
        /// Solver of the steps that `flash_ratio` shortens. Default `Dpm2Midpoint`.
        flash_solver: Solver = Solver::Dpm2Midpoint,
        /// How the window of stochastic, trained steps moves over the iterations. Default `Progressive`.
        window_mode: WindowMode = WindowMode::Progressive,
        /// w, steps in the window, at most T - 1; not used with `window_mode` all. Default 4, range 1…9999 steps.
        window_length: i32 = 4,
        /// l, first step of the window with `window_mode` frozen, at most T - 1 - w. Default 0, range 0…9998 steps.
        window_start: i32 = 0,
        /// Distance by which the window moves each time. Default 1, range 1…1000000 steps.
        window_stride: i32 = 1,
        /// tau, iterations between two moves of the window; with a decay the first interval, with adaptive the longest.
        /// Default 25, range 1…1000000 iterations.
        window_interval: i32 = 25,
        /// The last interval of `linear_decay`, the shortest of adaptive; at most `window_interval`. Default 1, range
        /// 1…1000000 iterations.
        window_minimum_interval: i32 = 1,
        /// What a moving window does after its last position. Default `RollBack`.
        window_at_end: WindowEnd = WindowEnd::RollBack,
        /// l0, window start from which `exponential_decay` shortens the interval. Default 13, range 0…1000000 steps.
        window_decay_threshold: i32 = 13,
        /// k, iterations over which adaptive judges the gain of the reward. Default 10, range 2…1000000 iterations.
        window_trend: i32 = 10,
        /// k, rate at which `exponential_decay` shortens the interval. Default 0.1, range 0…100 per step.
        window_decay_rate: f64 = 0.1,
        /// Adaptive moves the window when the reward gains less than this. Default 0.01, range -1000…1000 standard
        /// deviations of the reward per iteration.
        window_minimum_gain: f64 = 0.01,
        /// With `window_mode` all, the share of the stochastic steps that is trained. Default 1, range above 0, at most
        /// 1.
        trained_fraction: f64 = 1.0,
        /// With `window_mode` all, which of the stochastic steps are trained. Default `First`.
        trained_subset: TrainedSubset = TrainedSubset::First,
        /// G, samples of one prompt that are compared with each other. Default 12, range 2…4096 samples per prompt.
        group_size: i32 = 12,
        /// Whether the members of a group start from the same noise. Default `Shared`.
        initial_noise: InitialNoise = InitialNoise::Shared,
        /// Evaluate equal latents once; changes no result. Default true.
        exact_sharing: bool = true,
        /// Log-probability that the ratio is made of. Default `Mean`.
        log_probability: LogProbability = LogProbability::Mean,
        /// Seed of all random numbers of the run. Default 0, range 0…2^64 - 1.
        seed: u64 = 0,
    }

    /// How the model learns: advantages, policy loss, optimizer.
    LearningConfig = mixgrpo_learning_config {
        /// How several rewards become one advantage. Default `AdvantageAggregation`.
        advantage_mode: AdvantageMode = AdvantageMode::AdvantageAggregation,
        /// Samples whose standard deviation divides the advantages. Default `Group`.
        std_scope: StdScope = StdScope::Group,
        /// Weight of each trained step in the loss. Default `Uniform`.
        step_weighting: StepWeighting = StepWeighting::Uniform,
        /// Share of a group that is cut off at each end for mean and standard deviation. Default 0, range at least 0,
        /// below 0.5.
        trim_fraction: f64 = 0.0,
        /// A group whose standard deviation is at most this share of its largest absolute reward is degenerate:
        /// advantage 0. Default 1e-6, range 0…1.
        degenerate_tolerance: f64 = 1e-6,
        /// Advantages are clipped to ± this; 0 for no limit. Default 5, range 0…1000000.
        advantage_clip: f64 = 5.0,
        /// The ratio is clipped to 1 ± this; with `log_probability` mean this is D·`clip_range` nats of the true
        /// log-ratio. Default 0.0001, range above 0, below 1.
        clip_range: f64 = 0.0001,
        /// Weight of the KL to a frozen reference; 0 for none. Default 0, range 0…1000000.
        kl_reference: f64 = 0.0,
        /// Weight of ½(log p − log `p_old`)²; 0 for none. Default 0, range 0…1000000.
        kl_old: f64 = 0.0,
        /// Minibatches that each group is split into, one optimizer step each; at most `group_size`. Default 4, range
        /// 1…4096 minibatches.
        updates_per_iteration: i32 = 4,
        /// Schedule of the learning rate. Default `Constant`.
        schedule: Schedule = Schedule::Constant,
        /// Linear rise of the learning rate from 0. Default 0, range 0…1000000000 optimizer steps.
        warmup_steps: i32 = 0,
        /// End of schedule cosine, where the learning rate is at its minimum; more than `warmup_steps`. Default 1000,
        /// range 1…1000000000 optimizer steps.
        total_steps: i32 = 1000,
        /// Schedule cosine ends at this share of `learning_rate`. Default 0, range 0…1.
        min_rate_fraction: f64 = 0.0,
        /// Learning rate of AdamW, per optimizer step. Default 1e-5, range 0…1000.
        learning_rate: f64 = 1e-5,
        /// Decay of AdamW's first moment. Default 0.9, range at least 0, below 1.
        beta1: f64 = 0.9,
        /// Decay of AdamW's second moment. Default 0.999, range at least 0, below 1.
        beta2: f64 = 0.999,
        /// Added to the root of AdamW's second moment. Default 1e-8, range above 0, at most 1.
        epsilon: f64 = 1e-8,
        /// Decoupled weight decay, multiplied by the learning rate. Default 0.0001, range 0…1000.
        weight_decay: f64 = 0.0001,
        /// Global norm that gradients are scaled down to; 0 for no limit. Default 1, range 0…10^12.
        max_gradient_norm: f64 = 1.0,
        /// Decay of the averaged weights; 0 for none. Default 0, range 0…1 per optimizer step.
        ema_decay: f64 = 0.0,
        /// What a trainer does when an update is not finite or changes the model too much. Default `Stop`.
        fault_policy: FaultPolicy = FaultPolicy::Stop,
        /// State left by a cancelled or failed update: the state before it, or that after its last finished optimizer
        /// step. Default `Memory`.
        undo: Undo = Undo::Memory,
        /// Largest change that one iteration may cause in the velocity of its first trained latent, by root mean
        /// square; 0 for no limit. Default 1, range 0…1000000 times the velocity.
        max_velocity_change: f64 = 1.0,
        /// `fault_policy` `roll_back` multiplies the learning rate by this. Default 0.5, range above 0, at most 1.
        roll_back_rate_factor: f64 = 0.5,
    }

    /// The iteration and sizes of a rollout.
    RolloutConfig = mixgrpo_rollout_config {
        /// l, first step of the window; `None` for the window that the plan schedules. Default `None`.
        window_start: Option<u32> = None,
        /// Selects the window and keys the random numbers. Default 0, range 0 or more.
        iteration: i64 = 0,
        /// D, values in one latent; the default must be replaced. Default 0, range 0…1000000000 values.
        latent_size: usize = 0,
        /// Most latents in one request; 0 for no limit; changes no result. Default 0, range 0 or more latents.
        max_batch: i32 = 0,
    }

    /// What a trainer must know about the host's model.
    HostConfig = mixgrpo_host_config {
        /// Most latents in one request; 0 for no limit; changes no result. Default 0, range 0 or more latents.
        max_batch: i32 = 0,
        /// Prompts that a rollout may name: 0...`prompt_count` - 1; the default must be replaced. Default 0, range 0 or
        /// more prompts.
        prompt_count: usize = 0,
        /// D, values in one latent; the default must be replaced. Default 0, range 0…1000000000 values.
        latent_size: usize = 0,
    }

    /// When a model is evaluated, and what is kept of it. The level of a reward is its mean, counted from its first
    /// evaluation in standard deviations of its scores then. The levels of the trained rewards are averaged, and so are
    /// those of the held-out ones. The watchdog remembers the evaluation with the highest held-out level. An evaluation
    /// is suspicious when its held-out level is more than `watchdog_minimum_delta` below that one, and its trained
    /// level more than `watchdog_minimum_delta` above that one.
    EvaluationConfig = mixgrpo_evaluation_config {
        /// k, time between evaluations: iterations 0, k, 2k, … are due. Default 10, range 1…1000000 iterations.
        every: i32 = 10,
        /// Which of the trainer's weights are evaluated; not base. Default `Trained`.
        weights: Weights = Weights::Trained,
        /// Keep a copy of the best weights in memory. Default true.
        keep_best: bool = true,
        /// What happens when trained rewards rise while held-out rewards fall; needs both kinds unless off. Default
        /// `Off`.
        watchdog: Watchdog = Watchdog::Off,
        /// Consecutive suspicious evaluations before the watchdog triggers. Default 3, range 1…1000000 evaluations.
        watchdog_patience: i32 = 3,
        /// Smallest change of a level that counts. Default 0, range 0…1000 standard deviations of the first evaluation.
        watchdog_minimum_delta: f64 = 0.0,
    }
}

mirrored_configurations! {
    /// How deterministic samples are drawn.
    SampleConfig<'a> = mixgrpo_sample_config {
        /// T, steps of the time grid from noise (sigma = 1) to image (sigma = 0). Default 25, range 1…10000.
        steps: i32 = 25,
        /// Solver of all steps. Default `Euler`.
        solver: Solver = Solver::Euler,
        /// S, samples of each prompt. Default 1, range 1…4096 samples per prompt.
        samples_per_prompt: i32 = 1,
        /// s of the time grid sigma = s·t/(1 + (s - 1)·t), t = 1 - i/T; 1 for none. Default 3, range above 0, at most
        /// 1000.
        shift: f64 = 3.0,
        /// Above 0, the shift that belongs to this number of image tokens is used in place of shift. Default 0, range
        /// 0…1000000 tokens.
        image_tokens: i32 = 0,
        /// How sigma is rounded before it is passed to the model. Default `Exact`.
        sigma_rounding: SigmaRounding = SigmaRounding::Exact,
        /// `p_mix` of hybrid inference (MixGRPO §5): share of the steps, counted from sigma = 1, that uses the given
        /// model; the rest uses the base. Default 1, range 0…1.
        trained_model_share: f64 = 1.0,
        /// Seed of the initial noise. Default 0, range 0…2^64 - 1.
        seed: u64 = 0,
    }
    arrays {
        /// The host's own time grid in place of steps, shift and `image_tokens`: T + 1 values, strictly decreasing, the
        /// first at most 1, the last 0.
        sigmas, sigma_count: f64,
    }
}
