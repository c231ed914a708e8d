// Generated from include/mixgrpo.h; write it anew with `make generate` instead of editing it.
//! The choices in settings and results.

use crate::mirror::mirrored_enums;

mirrored_enums! {
    /// How important a log line is.
    LogLevel {
        /// For information.
        Info = MIXGRPO_LOG_LEVEL_INFO,
        /// Something may be wrong.
        Warning = MIXGRPO_LOG_LEVEL_WARNING,
    }

    /// What a call with the built-in model is doing.
    Stage {
        /// Sampling groups of images.
        Rollout = MIXGRPO_STAGE_ROLLOUT,
        /// Training on them.
        Update = MIXGRPO_STAGE_UPDATE,
        /// Drawing deterministic samples.
        Sample = MIXGRPO_STAGE_SAMPLE,
    }

    /// How weights are stored in a file.
    Storage {
        /// 32 bits.
        F32 = MIXGRPO_STORAGE_F32,
        /// The upper 16 bits, rounded to nearest.
        Bf16 = MIXGRPO_STORAGE_BF16,
    }

    /// The program whose files an adapter's are.
    AdapterFormat {
        /// A folder: `adapter_model`.safetensors, `adapter_config`.json. Keeps rank and alpha.
        Peft = MIXGRPO_ADAPTER_FORMAT_PEFT,
        /// A folder: `pytorch_lora_weights`.safetensors, whose B contains the factor.
        Diffusers = MIXGRPO_ADAPTER_FORMAT_DIFFUSERS,
        /// A file with the names of the original FLUX; B contains the factor.
        Kohya = MIXGRPO_ADAPTER_FORMAT_KOHYA,
    }

    /// The factors of the products in the model's blocks and their attention. Softmax, norms, sums, gradients of
    /// weights and the optimizer are float32 with both.
    Precision {
        /// 24 bits of mantissa.
        Float32 = MIXGRPO_PRECISION_FLOAT32,
        /// 8 bits of mantissa, rounded to nearest: half the memory for packed weights and factors, and faster products
        /// where AVX512_BF16 is faster than multiply-adds in float32, as on Zen 4. The bits of a result are the same on
        /// every processor, for any number of threads, in any batch.
        Bfloat16 = MIXGRPO_PRECISION_BFLOAT16,
    }

    /// The stochastic step inside the window.
    Dynamics {
        /// Flow-SDE (arXiv 2505.05470): noise g = eta·sqrt(sigma/(1 - sigma)).
        Flow = MIXGRPO_DYNAMICS_FLOW,
        /// Dance-SDE (arXiv 2505.07818): noise g = eta.
        Dance = MIXGRPO_DYNAMICS_DANCE,
        /// Coefficient-preserving sampling (arXiv 2509.05952).
        Cps = MIXGRPO_DYNAMICS_CPS,
    }

    /// How the window of stochastic, trained steps moves over the iterations (MixGRPO §3.2).
    WindowMode {
        /// Stays at `window_start`.
        Frozen = MIXGRPO_WINDOW_MODE_FROZEN,
        /// Moves by `window_stride` after every `window_interval` iterations.
        Progressive = MIXGRPO_WINDOW_MODE_PROGRESSIVE,
        /// As `Progressive`, but the interval falls linearly to its minimum.
        LinearDecay = MIXGRPO_WINDOW_MODE_LINEAR_DECAY,
        /// As `Progressive`, but the interval is ceil(interval·exp(-k·max(0, l - l0))).
        ExponentialDecay = MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY,
        /// Uniform on its range; depends only on seed and iteration.
        Random = MIXGRPO_WINDOW_MODE_RANDOM,
        /// Every step but the last is stochastic (Flow-GRPO, DanceGRPO).
        All = MIXGRPO_WINDOW_MODE_ALL,
        /// The host gives the window of each iteration.
        Given = MIXGRPO_WINDOW_MODE_GIVEN,
        /// Moves when the reward's gain flattens, see `AdaptiveWindow`.
        Adaptive = MIXGRPO_WINDOW_MODE_ADAPTIVE,
    }

    /// What a moving window does after its last place.
    WindowEnd {
        /// Starts again at 0.
        RollBack = MIXGRPO_WINDOW_END_ROLL_BACK,
        /// Stays at the last place.
        Stay = MIXGRPO_WINDOW_END_STAY,
    }

    /// Which stochastic steps are trained when all are stochastic and `trained_fraction` < 1.
    TrainedSubset {
        /// The first steps.
        First = MIXGRPO_TRAINED_SUBSET_FIRST,
        /// A random choice for each iteration.
        Random = MIXGRPO_TRAINED_SUBSET_RANDOM,
    }

    /// How deterministic steps follow the flow. DPM-Solver++: arXiv 2211.01095.
    Solver {
        /// First order.
        Euler = MIXGRPO_SOLVER_EULER,
        /// DPM-Solver++, first order.
        Dpm1 = MIXGRPO_SOLVER_DPM_1,
        /// DPM-Solver++, second order, midpoint form.
        Dpm2Midpoint = MIXGRPO_SOLVER_DPM_2_MIDPOINT,
        /// DPM-Solver++, second order, Heun form.
        Dpm2Heun = MIXGRPO_SOLVER_DPM_2_HEUN,
        /// DPM-Solver++, third order.
        Dpm3 = MIXGRPO_SOLVER_DPM_3,
    }

    /// Where the members of a group start.
    InitialNoise {
        /// All members of a group start from the same noise.
        Shared = MIXGRPO_INITIAL_NOISE_SHARED,
        /// Each member starts from its own noise.
        Own = MIXGRPO_INITIAL_NOISE_OWN,
    }

    /// The number whose difference between the new and the old policy is the logarithm of the ratio.
    LogProbability {
        /// Log-density per value: mean_D -(x' - mu)^2/(2s^2) - ln s - (1/2)ln(2 pi).
        Mean = MIXGRPO_LOG_PROBABILITY_MEAN,
        /// The log-density itself: the sum over D.
        Sum = MIXGRPO_LOG_PROBABILITY_SUM,
        /// -mean_D (x' - mu)^2, with `Cps` only; not a density.
        CpsPeer = MIXGRPO_LOG_PROBABILITY_CPS_PEER,
        /// mean_D e·mu with the step's noise e (GRPO-Guard, arXiv 2510.22319).
        Guarded = MIXGRPO_LOG_PROBABILITY_GUARDED,
    }

    /// How sigma is rounded before it is passed to the model.
    SigmaRounding {
        /// Not at all.
        Exact = MIXGRPO_SIGMA_ROUNDING_EXACT,
        /// floor(1000 sigma)/1000, for models that take integer timesteps.
        Thousandths = MIXGRPO_SIGMA_ROUNDING_THOUSANDTHS,
    }

    /// How several rewards become one advantage.
    AdvantageMode {
        /// Normalise each reward in its group, then take the weighted mean.
        AdvantageAggregation = MIXGRPO_ADVANTAGE_MODE_ADVANTAGE_AGGREGATION,
        /// Take the weighted sum of rewards, then normalise in the group.
        RewardAggregation = MIXGRPO_ADVANTAGE_MODE_REWARD_AGGREGATION,
        /// Normalise each reward in its group, sum weighted, then whiten over the batch.
        Gdpo = MIXGRPO_ADVANTAGE_MODE_GDPO,
    }

    /// Which samples the standard deviation is taken over.
    StdScope {
        /// The samples of one prompt.
        Group = MIXGRPO_STD_SCOPE_GROUP,
        /// All samples of the iteration.
        Batch = MIXGRPO_STD_SCOPE_BATCH,
    }

    /// How the loss weighs the trained steps.
    StepWeighting {
        /// All the same.
        Uniform = MIXGRPO_STEP_WEIGHTING_UNIFORM,
        /// Proportional to the step's standard deviation, with mean 1.
        ByNoise = MIXGRPO_STEP_WEIGHTING_BY_NOISE,
    }

    /// The learning rate after the warm-up.
    Schedule {
        /// Stays the same.
        Constant = MIXGRPO_SCHEDULE_CONSTANT,
        /// Falls as half a cosine.
        Cosine = MIXGRPO_SCHEDULE_COSINE,
    }

    /// What a trainer's update does about a fault: a loss, gradient or weight that is or would be NaN or infinite, or a
    /// velocity that changes by more than `max_velocity_change`. A value that is not finite is never applied. Metrics
    /// and log report each fault.
    FaultPolicy {
        /// Return `NotFinite` or `Diverged`, with weights, optimizer and iteration as before the update: the host may
        /// save them, and try again with other settings.
        Stop = MIXGRPO_FAULT_POLICY_STOP,
        /// Skip the optimizer step of a minibatch that is not finite and go on with the next; a velocity that changes
        /// too much undoes the whole update. The iteration counts as done.
        Skip = MIXGRPO_FAULT_POLICY_SKIP,
        /// Undo the whole update, multiply the learning rate of all later steps by `roll_back_rate_factor`, and go on
        /// with the next iteration.
        RollBack = MIXGRPO_FAULT_POLICY_ROLL_BACK,
    }

    /// State left by a cancelled or failed update.
    Undo {
        /// The state before it. The first optimizer step copies weights, moments and average, until the update has
        /// succeeded (a single step needs no copy if `max_velocity_change` is 0).
        Memory = MIXGRPO_UNDO_MEMORY,
        /// The state after the last finished optimizer step, and no copy. The same update may be run again and does the
        /// rest.
        None = MIXGRPO_UNDO_NONE,
    }

    /// What a field of a configuration is.
    SettingKind {
        /// A whole number.
        Integer = MIXGRPO_SETTING_KIND_INTEGER,
        /// A double.
        Number = MIXGRPO_SETTING_KIND_NUMBER,
        /// 0 or 1.
        Flag = MIXGRPO_SETTING_KIND_FLAG,
        /// An enum, one of `cases`.
        Choice = MIXGRPO_SETTING_KIND_CHOICE,
    }

    /// The kind of a step. Its order may be lower than the solver's, where the steps before it do not allow more. The
    /// first five kinds have the values of `Solver`.
    StepKind {
        /// Deterministic, first order.
        Euler = MIXGRPO_STEP_KIND_EULER,
        /// Deterministic, DPM-Solver++, first order.
        Dpm1 = MIXGRPO_STEP_KIND_DPM_1,
        /// Deterministic, DPM-Solver++, second order, midpoint form.
        Dpm2Midpoint = MIXGRPO_STEP_KIND_DPM_2_MIDPOINT,
        /// Deterministic, DPM-Solver++, second order, Heun form.
        Dpm2Heun = MIXGRPO_STEP_KIND_DPM_2_HEUN,
        /// Deterministic, DPM-Solver++, third order.
        Dpm3 = MIXGRPO_STEP_KIND_DPM_3,
        /// Stochastic, Flow-SDE.
        Flow = MIXGRPO_STEP_KIND_FLOW,
        /// Stochastic, Dance-SDE.
        Dance = MIXGRPO_STEP_KIND_DANCE,
        /// Stochastic, coefficient-preserving.
        Cps = MIXGRPO_STEP_KIND_CPS,
    }

    /// Which weights of a trainer.
    Weights {
        /// The model in training.
        Trained = MIXGRPO_WEIGHTS_TRAINED,
        /// As they were at creation; needs `keep_base`.
        Base = MIXGRPO_WEIGHTS_BASE,
        /// The exponential moving average; needs `ema_decay` > 0.
        Average = MIXGRPO_WEIGHTS_AVERAGE,
    }

    /// What an update does about tickets without rewards.
    MissingRewards {
        /// Return `InvalidState`, naming the tickets.
        Refuse = MIXGRPO_MISSING_REWARDS_REFUSE,
        /// Exclude their samples, like samples whose rewards all failed.
        Exclude = MIXGRPO_MISSING_REWARDS_EXCLUDE,
    }

    /// What the watchdog does when the trained rewards rise while the held-out ones fall.
    Watchdog {
        /// Nothing.
        Off = MIXGRPO_WATCHDOG_OFF,
        /// Gives the verdict `Warn`.
        Warn = MIXGRPO_WATCHDOG_WARN,
        /// Gives the verdict `Stop`.
        Stop = MIXGRPO_WATCHDOG_STOP,
    }

    /// What the host should do after an evaluation.
    Verdict {
        /// Go on.
        Continue = MIXGRPO_VERDICT_CONTINUE,
        /// Warn that training may exploit its rewards.
        Warn = MIXGRPO_VERDICT_WARN,
        /// Stop training.
        Stop = MIXGRPO_VERDICT_STOP,
    }
}
