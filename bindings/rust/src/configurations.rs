// Generated from the library's table of settings; write it anew with `make generate` instead of editing it.
//! The configurations. `Default` gives the defaults that each field states.

use crate::enums::*;
use crate::mirror::mirrored_configuration;

mirrored_configuration! {
    /// The sizes of a model. The names are those of diffusers' config.json.
    ModelConfig = mixgrpo_model_config {
        /// C, channels of an image token. Default 48; 1…65536.
        in_channels: i32 = 48,
        /// Channels of the velocity; `in_channels` of a model that is sampled from. Default 48; 1…65536.
        out_channels: i32 = 48,
        /// Double-stream blocks. Default 2; 0…1000.
        num_layers: i32 = 2,
        /// Single-stream blocks. Default 4; 0…1000.
        num_single_layers: i32 = 4,
        /// Channels of a head, the sum of `axes_dims_rope`. Default 32; 2…4096.
        attention_head_dim: i32 = 32,
        /// Attention heads; times `attention_head_dim` at most 65536. Default 4; 1…1024.
        num_attention_heads: i32 = 4,
        /// J, width of a text token. Default 64; 1…65536.
        joint_attention_dim: i32 = 64,
        /// Q, width of the pooled text. Default 64; 1…65536.
        pooled_projection_dim: i32 = 64,
        /// The model takes a guidance value. Default false.
        guidance_embeds: bool = false,
        /// Rotary dimensions of the three position axes, each even. Default 4, 14, 14; each 0…4096.
        axes_dims_rope: [i32; 3] = [4, 14, 14],
    }
}

mirrored_configuration! {
    /// The image size and the working memory of an evaluator.
    EvaluatorConfig = mixgrpo_evaluator_config {
        /// Rows of image tokens. Default 8; 1…4096 tokens.
        height_tokens: i32 = 8,
        /// Columns of image tokens; times `height_tokens` at most 65536. Default 8; 1…4096 tokens.
        width_tokens: i32 = 8,
        /// L, text tokens of every prompt. Default 16; 1…65536 tokens.
        text_length: i32 = 16,
        /// That are evaluated, or can keep their activations, at a time. Default 16; 1…65536 latents.
        max_batch: i32 = 16,
        /// Keep the input of each block alone: a fraction of the memory, one forward more, the same bits. Default
        /// false.
        recompute_activations: bool = false,
        /// Given to models with `guidance_embeds`. Default 3.5; 0…1000.
        guidance: f64 = 3.5,
        /// That model, evaluator and training may take at most; 0 for no limit. Default 0; 0 or more bytes.
        max_bytes: usize = 0,
    }
}

mirrored_configuration! {
    /// How samples are drawn. The window has w steps and starts at l in 0...T - 1 - w: the last step is never in it.
    SamplingConfig = mixgrpo_sampling_config {
        /// T, steps from noise (sigma = 1) to picture (0). Default 25; 2…10000.
        steps: i32 = 25,
        /// Of the noise levels towards noise; 1 for none. Default 3; above 0, at most 1000.
        shift: f64 = 3.0,
        /// Above 0: the shift that goes with so many tokens, in place of shift. Default 0; 0…1000000 tokens.
        image_tokens: i32 = 0,
        /// How the model is given the noise level. Default `Exact`.
        sigma_rounding: SigmaRounding = SigmaRounding::Exact,
        /// The stochastic step. Default `Flow`.
        dynamics: Dynamics = Dynamics::Flow,
        /// Of the steps outside the window. Default `Euler`.
        solver: Solver = Solver::Euler,
        /// eta of the stochastic step; with cps at most 1. Default 0.7; above 0, at most 10.
        noise_level: f64 = 0.7,
        /// MixGRPO-Flash: the steps after the window shrink to this share; 0 for off. Default 0; 0…1.
        flash_ratio: f64 = 0.0,
        /// Of these steps. Default `Dpm2Midpoint`.
        flash_solver: Solver = Solver::Dpm2Midpoint,
        /// How the window of stochastic, trained steps moves. Default `Progressive`.
        window_mode: WindowMode = WindowMode::Progressive,
        /// w, stochastic steps, at most steps - 1; not used by all. Default 4; 1…9999 steps.
        window_length: i32 = 4,
        /// Of a frozen window, at most steps - 1 - `window_length`. Default 0; 0…9998 steps.
        window_start: i32 = 0,
        /// By which the window moves at a time. Default 1; 1…1000000 steps.
        window_stride: i32 = 1,
        /// Between moves; with a decay the first, with adaptive the most. Default 25; 1…1000000 iterations.
        window_interval: i32 = 25,
        /// The last interval of `linear_decay`, the least of adaptive; at most `window_interval`. Default 1; 1…1000000
        /// iterations.
        window_minimum_interval: i32 = 1,
        /// What the window does after its last place. Default `RollBack`.
        window_at_end: WindowEnd = WindowEnd::RollBack,
        /// The window's start from which `exponential_decay` shortens the interval. Default 13; 0…1000000 steps.
        window_decay_threshold: i32 = 13,
        /// That adaptive judges the reward's gain over. Default 10; 2…1000000 iterations.
        window_trend: i32 = 10,
        /// Of `exponential_decay`. Default 0.1; 0…100 per step.
        window_decay_rate: f64 = 0.1,
        /// Adaptive moves when the reward gains less. Default 0.01; -1000…1000 standard deviations per iteration.
        window_minimum_gain: f64 = 0.01,
        /// With all: the trained share of the stochastic steps. Default 1; above 0, at most 1.
        trained_fraction: f64 = 1.0,
        /// With all: which of them. Default `First`.
        trained_subset: TrainedSubset = TrainedSubset::First,
        /// G, images of one prompt that are compared with each other. Default 12; 2…4096 images per prompt.
        group_size: i32 = 12,
        /// Of the members of a group. Default `Shared`.
        initial_noise: InitialNoise = InitialNoise::Shared,
        /// Evaluate equal latents once; changes no result. Default true.
        exact_sharing: bool = true,
        /// What the ratio is made of. Default `Mean`.
        log_probability: LogProbability = LogProbability::Mean,
        /// Of all random numbers of the run. Default 0; 0…2^64 - 1.
        seed: u64 = 0,
    }
}

mirrored_configuration! {
    /// How the model learns: advantages, policy loss, optimizer.
    LearningConfig = mixgrpo_learning_config {
        /// How several rewards are joined. Default `AdvantageAggregation`.
        advantage_mode: AdvantageMode = AdvantageMode::AdvantageAggregation,
        /// Of the standard deviation that advantages are divided by. Default `Group`.
        std_scope: StdScope = StdScope::Group,
        /// Of the trained steps in the loss. Default `Uniform`.
        step_weighting: StepWeighting = StepWeighting::Uniform,
        /// Share cut off each end of a group for mean and standard deviation. Default 0; at least 0, below 0.5.
        trim_fraction: f64 = 0.0,
        /// A group whose standard deviation is at most this share of its largest reward in magnitude gets advantage 0.
        /// Default 1e-6; 0…1.
        degenerate_tolerance: f64 = 1e-6,
        /// Advantages are clipped to ± this; 0 for no limit. Default 5; 0…1000000.
        advantage_clip: f64 = 5.0,
        /// The ratio is clipped to 1 ± this. Default 0.0001; above 0, below 1.
        clip_range: f64 = 0.0001,
        /// Weight of the KL to the model as it was at the start; 0 for none. Default 0; 0…1000000.
        kl_reference: f64 = 0.0,
        /// Weight of ½(log p − log `p_old`)²; 0 for none. Default 0; 0…1000000.
        kl_old: f64 = 0.0,
        /// Parts that each group is split into, at most `group_size`. Default 4; 1…4096 optimizer steps.
        updates_per_iteration: i32 = 4,
        /// Of the learning rate. Default `Constant`.
        schedule: Schedule = Schedule::Constant,
        /// Of linear rise from 0. Default 0; 0…1000000000 optimizer steps.
        warmup_steps: i32 = 0,
        /// Until cosine is at its lowest, more than `warmup_steps`. Default 1000; 1…1000000000 optimizer steps.
        total_steps: i32 = 1000,
        /// Cosine ends at this share of `learning_rate`. Default 0; 0…1.
        min_rate_fraction: f64 = 0.0,
        /// Of AdamW, per step. Default 1e-5; 0…1000.
        learning_rate: f64 = 1e-5,
        /// Decay of AdamW's first moment. Default 0.9; at least 0, below 1.
        beta1: f64 = 0.9,
        /// Decay of AdamW's second moment. Default 0.999; at least 0, below 1.
        beta2: f64 = 0.999,
        /// Added to the root of the second moment. Default 1e-8; above 0, at most 1.
        epsilon: f64 = 1e-8,
        /// Decoupled, times learning rate. Default 0.0001; 0…1000.
        weight_decay: f64 = 0.0001,
        /// Global norm the gradients are scaled down to; 0 for no limit. Default 1; 0…10^12.
        max_gradient_norm: f64 = 1.0,
        /// Of averaged weights; 0 for none. Default 0; 0…1 per optimizer step.
        ema_decay: f64 = 0.0,
        /// When an update is not finite or changes too much. Default `Stop`.
        fault_policy: FaultPolicy = FaultPolicy::Stop,
        /// What a stopped update leaves: with memory the state before it. Default `Memory`.
        undo: Undo = Undo::Memory,
        /// An update that changes the velocity by more is a fault; 0 for no limit. Default 1; 0…1000000 share of the
        /// velocity, per iteration.
        max_velocity_change: f64 = 1.0,
        /// `roll_back` multiplies the learning rate by this. Default 0.5; above 0, at most 1.
        roll_back_rate_factor: f64 = 0.5,
    }
}

mirrored_configuration! {
    /// Which rollout.
    RolloutConfig = mixgrpo_rollout_config {
        /// l; `None` for the window that the plan gives the iteration. Default `None`.
        window_start: Option<u32> = None,
        /// Selects the window and keys the random numbers. Default 0; 0 or more.
        iteration: i64 = 0,
        /// D, values in one latent; the default must be replaced. Default 0; 0…1000000000 values.
        latent_size: usize = 0,
        /// Per request at most; 0 for no limit. Default 0; 0 or more latents.
        max_batch: i32 = 0,
    }
}

mirrored_configuration! {
    /// How deterministic samples are drawn.
    SampleConfig = mixgrpo_sample_config {
        /// T, steps from noise to picture. Default 25; 1…10000.
        steps: i32 = 25,
        /// How all steps follow the flow. Default `Euler`.
        solver: Solver = Solver::Euler,
        /// S, of each prompt. Default 1; 1…4096 images.
        samples_per_prompt: i32 = 1,
        /// Of the noise levels towards noise; 1 for none. Default 3; above 0, at most 1000.
        shift: f64 = 3.0,
        /// Above 0: the shift that goes with so many tokens, in place of shift. Default 0; 0…1000000 tokens.
        image_tokens: i32 = 0,
        /// How the model is given the noise level. Default `Exact`.
        sigma_rounding: SigmaRounding = SigmaRounding::Exact,
        /// Share of the steps, from sigma = 1 on, that the given model takes; the base takes the rest. Default 1; 0…1.
        trained_model_share: f64 = 1.0,
        /// Of the initial noise. Default 0; 0…2^64 - 1.
        seed: u64 = 0,
    }
}

mirrored_configuration! {
    /// When a model is evaluated, and what is kept of it. The level of a reward is its mean, counted from its first
    /// evaluation in standard deviations of its scores then. The levels of the trained rewards are averaged, and so are
    /// those of the held-out ones. The watchdog remembers the evaluation with the highest held-out level. An evaluation
    /// is suspicious when its held-out level is more than `watchdog_minimum_delta` below that one, and its trained
    /// level more than `watchdog_minimum_delta` above that one.
    EvaluationConfig = mixgrpo_evaluation_config {
        /// Between evaluations: 0, k, 2k, … are due. Default 10; 1…1000000 iterations.
        every: i32 = 10,
        /// Which weights are evaluated; not base. Default `Trained`.
        weights: Weights = Weights::Trained,
        /// Keep a copy of the best weights. Default true.
        keep_best: bool = true,
        /// When trained rewards rise while held-out ones fall. Default `Off`.
        watchdog: Watchdog = Watchdog::Off,
        /// Suspicious ones in a row before the watchdog acts. Default 3; 1…1000000 evaluations.
        watchdog_patience: i32 = 3,
        /// The change that counts. Default 0; 0…1000 standard deviations of the first evaluation.
        watchdog_minimum_delta: f64 = 0.0,
    }
}
