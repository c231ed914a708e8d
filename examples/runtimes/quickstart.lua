-- luajit examples/runtimes/quickstart.lua examples/base
local ffi = require("ffi")
ffi.cdef(io.popen("cc -E -P include/mixgrpo.h"):read("*a")) -- the header as it stands, after the preprocessor
local mix = ffi.load(os.getenv("MIXGRPO_LIBRARY") or ".build/release/libmixgrpo.so")
local prompts, group, values = 2, 12, 64 * 48 -- 32 × 32 pixels as 64 tokens of 48 values
local images = prompts * group
local samples, pixels = ffi.new("float[?]", images * values), ffi.new("uint8_t[?]", images * values)

local function check(status)
  if status ~= 0 then error(ffi.string(mix.mixgrpo_last_error()), 0) end
end
local function create(kind, ...) -- the handle that mixgrpo_<kind> writes to its last argument
  local out = ffi.new("mixgrpo_" .. kind:match("%a+") .. "*[1]")
  local arguments = { ... }
  arguments[select("#", ...) + 1] = out
  check(mix["mixgrpo_" .. kind](unpack(arguments, 1, select("#", ...) + 1)))
  return out[0]
end
local function darkness(image) -- the reward: any code of yours, nothing need be differentiable
  local sum = 0
  for i = 0, values - 1 do sum = sum + pixels[image * values + i] end
  return 1 - sum / (255 * values)
end

local context = create("context_create", 0) -- one thread per core
local model = create("model_load", context, arg[1] or "examples/base")
local lines = ffi.new("const char*[2]", { "a red circle at the left", "a blue square in the middle" })
local text = create("prompts_create_hashed_words", context, lines, prompts, 16, 64, 64)
local geometry = ffi.new("mixgrpo_evaluator_config")
local sampling, learning = ffi.new("mixgrpo_sampling_config"), ffi.new("mixgrpo_learning_config")
check(mix.mixgrpo_evaluator_config_init(geometry, ffi.sizeof(geometry))) -- 8 × 8 image tokens
check(mix.mixgrpo_config_init(sampling, ffi.sizeof(sampling), learning, ffi.sizeof(learning)))
geometry.text_length, sampling.steps, sampling.group_size, learning.learning_rate = 16, 12, group, 2e-5
local evaluator = create("evaluator_create", model, geometry, nil, 0)
local plan = create("plan_create", sampling, nil, 0)
local names = ffi.new("const char*[1]", { "darkness" })
local trainer = create("trainer_create", evaluator, text, plan, learning, names, 1, 0)

-- A callback. The function that makes the call must stay interpreted: compiled code cannot be called back into.
local progress = ffi.cast("mixgrpo_progress_callback", function(_, at)
  io.stderr:write(("\r%3d %%"):format(100 * tonumber(at.done) / tonumber(at.total)))
end)
check(mix.mixgrpo_context_set_progress(context, progress, nil))
jit.off(true)

local chosen, rewards = ffi.new("int32_t[2]", { 0, 1 }), ffi.new("double[?]", images)
local metrics = ffi.new("mixgrpo_metrics", { struct_size = ffi.sizeof("mixgrpo_metrics") })
for iteration = 0, (arg[2] or 20) - 1 do
  check(mix.mixgrpo_trainer_rollout(trainer, chosen, prompts, samples, images * values))
  check(mix.mixgrpo_pixels_decode(samples, images * values, images, 32, 32, 4, pixels, images * values))
  for image = 0, images - 1 do rewards[image] = darkness(image) end
  check(mix.mixgrpo_trainer_update(trainer, rewards, images, nil, 0, metrics))
  print(("iteration %d: darkness %.3f"):format(iteration, metrics.reward_mean))
end
check(mix.mixgrpo_model_save(model, "aligned", mix.MIXGRPO_STORAGE_BF16)) -- a diffusers folder
