// go run examples/runtimes/go/goroutines.go examples/base
//
// Six goroutines at once, each with a context, a model and a trainer of its own and another number of threads, draw the same
// samples to the last bit.
package main

// #cgo LDFLAGS: -lmixgrpo
// #include <mixgrpo.h>
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync"
)

const goroutines, group, values = 6, 4, 64 * 48

// draw runs on one thread, because mixgrpo_last_error is stored per thread.
func draw(base string, threads int, samples []C.float) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var context *C.mixgrpo_context
	var model *C.mixgrpo_model
	var text *C.mixgrpo_prompts
	var evaluator *C.mixgrpo_evaluator
	var plan *C.mixgrpo_plan
	var trainer *C.mixgrpo_trainer
	var geometry C.mixgrpo_evaluator_config
	var sampling C.mixgrpo_sampling_config
	var learning C.mixgrpo_learning_config
	line, name, chosen := C.CString("a red circle at the left"), C.CString("darkness"), C.int32_t(0)

	C.mixgrpo_evaluator_config_init(&geometry, C.sizeof_mixgrpo_evaluator_config)
	C.mixgrpo_config_init(&sampling, C.sizeof_mixgrpo_sampling_config, &learning, C.sizeof_mixgrpo_learning_config)
	sampling.steps, sampling.group_size, sampling.seed = 6, group, 7
	for _, call := range []func() C.mixgrpo_status{
		func() C.mixgrpo_status { return C.mixgrpo_context_create(C.int32_t(threads), &context) },
		func() C.mixgrpo_status { return C.mixgrpo_model_load(context, C.CString(base), &model) },
		func() C.mixgrpo_status {
			return C.mixgrpo_prompts_create_hashed_words(context, &line, 1, 16, 64, 64, &text)
		},
		func() C.mixgrpo_status { return C.mixgrpo_evaluator_create(model, &geometry, nil, 0, &evaluator) },
		func() C.mixgrpo_status { return C.mixgrpo_plan_create(&sampling, nil, 0, &plan) },
		func() C.mixgrpo_status {
			return C.mixgrpo_trainer_create(evaluator, text, plan, &learning, &name, 1, 0, &trainer)
		},
		func() C.mixgrpo_status {
			return C.mixgrpo_trainer_rollout(trainer, &chosen, 1, &samples[0], group*values)
		},
	} {
		if call() != C.MIXGRPO_STATUS_OK {
			return fmt.Errorf("%s", C.GoString(C.mixgrpo_last_error()))
		}
	}
	return nil
}

func main() {
	var wait sync.WaitGroup
	drawn, failed := [goroutines][]C.float{}, [goroutines]error{}
	for i := range drawn {
		drawn[i] = make([]C.float, group*values)
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			failed[i] = draw(os.Args[1], 1+i%3, drawn[i])
		}(i)
	}
	wait.Wait()
	for i := range drawn {
		if failed[i] != nil {
			fmt.Fprintln(os.Stderr, failed[i])
			os.Exit(1)
		}
		for j, value := range drawn[i] {
			if value != drawn[0][j] {
				fmt.Fprintf(os.Stderr, "value %d of goroutine %d is %v, that of the first is %v\n", j, i, value, drawn[0][j])
				os.Exit(1)
			}
		}
	}
	fmt.Printf("%d goroutines drew the same %d values\n", goroutines, group*values)
}
