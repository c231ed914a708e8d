// go run examples/runtimes/go/quickstart.go examples/base
package main

// #cgo LDFLAGS: -lmixgrpo
// #include <mixgrpo.h>
import "C"

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
)

const (
	prompts, group, values = 2, 12, 64 * 48 // 32 × 32 pixels as 64 tokens of 48 values
	images                 = prompts * group
)

func check(status C.mixgrpo_status) {
	if status != C.MIXGRPO_STATUS_OK {
		log.Fatal(C.GoString(C.mixgrpo_last_error()))
	}
}

func darkness(image []C.uint8_t) C.double { // the reward: any code of yours, nothing need be differentiable
	sum := 0
	for _, value := range image {
		sum += int(value)
	}
	return C.double(1 - float64(sum)/(255*values))
}

func main() {
	runtime.LockOSThread() // mixgrpo_last_error is stored per thread, and goroutines move between threads
	base, iterations := "examples/base", 20
	if len(os.Args) > 1 {
		base = os.Args[1]
	}
	if len(os.Args) > 2 {
		iterations, _ = strconv.Atoi(os.Args[2])
	}
	lines := []*C.char{C.CString("a red circle at the left"), C.CString("a blue square in the middle")}
	names := []*C.char{C.CString("darkness")}
	var context *C.mixgrpo_context
	var model *C.mixgrpo_model
	var text *C.mixgrpo_prompts
	var evaluator *C.mixgrpo_evaluator
	var plan *C.mixgrpo_plan
	var trainer *C.mixgrpo_trainer
	var geometry C.mixgrpo_evaluator_config
	var sampling C.mixgrpo_sampling_config
	var learning C.mixgrpo_learning_config

	check(C.mixgrpo_context_create(0, &context)) // one thread per core
	check(C.mixgrpo_model_load(context, C.CString(base), &model))
	check(C.mixgrpo_prompts_create_hashed_words(context, &lines[0], prompts, 16, 64, 64, &text))
	check(C.mixgrpo_evaluator_config_init(&geometry, C.sizeof_mixgrpo_evaluator_config)) // 8 × 8 image tokens
	geometry.text_length = 16
	check(C.mixgrpo_evaluator_create(model, &geometry, nil, 0, &evaluator))
	check(C.mixgrpo_config_init(&sampling, C.sizeof_mixgrpo_sampling_config, &learning, C.sizeof_mixgrpo_learning_config))
	sampling.steps, sampling.group_size, learning.learning_rate = 12, group, 2e-5
	check(C.mixgrpo_plan_create(&sampling, nil, 0, &plan))
	check(C.mixgrpo_trainer_create(evaluator, text, plan, &learning, &names[0], 1, 0, &trainer))

	chosen := []C.int32_t{0, 1}
	samples, pixels := make([]C.float, images*values), make([]C.uint8_t, images*values)
	rewards := make([]C.double, images)
	for iteration := 0; iteration < iterations; iteration++ {
		metrics := C.mixgrpo_metrics{struct_size: C.sizeof_mixgrpo_metrics}
		check(C.mixgrpo_trainer_rollout(trainer, &chosen[0], prompts, &samples[0], images*values))
		check(C.mixgrpo_pixels_decode(&samples[0], images*values, images, 32, 32, 4, &pixels[0], images*values))
		for i := range rewards {
			rewards[i] = darkness(pixels[i*values : (i+1)*values])
		}
		check(C.mixgrpo_trainer_update(trainer, &rewards[0], images, nil, 0, &metrics))
		fmt.Printf("iteration %d: darkness %.3f\n", iteration, float64(metrics.reward_mean))
	}
	check(C.mixgrpo_model_save(model, C.CString("aligned"), C.MIXGRPO_STORAGE_BF16)) // a diffusers folder
}
