// javac -cp /usr/share/java/jna.jar -d classes examples/runtimes/java/*.java
// java -cp /usr/share/java/jna.jar:classes Quickstart examples/base
import com.sun.jna.Callback;
import com.sun.jna.Memory;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.StringArray;
import com.sun.jna.ptr.PointerByReference;
import java.util.Arrays;
import java.util.Locale;

public final class Quickstart {
  static final int PROMPTS = 2, GROUP = 12, VALUES = 64 * 48, IMAGES = PROMPTS * GROUP; // 32 × 32 pixels as 64 tokens of 48 values
  static final String LIBRARY = System.getenv().getOrDefault("MIXGRPO_LIBRARY", ".build/release/libmixgrpo.so");
  static final NativeLibrary MIX = NativeLibrary.getInstance(LIBRARY);

  public interface Progress extends Callback {
    void report(Pointer userData, Pointer progress);
  }

  /** Calls mixgrpo_name. Java's int is int32_t, its long is size_t, its arrays and Memory are pointers. */
  static void call(String name, Object... arguments) {
    if (MIX.getFunction("mixgrpo_" + name).invokeInt(arguments) == 0) return;
    throw new IllegalStateException(MIX.getFunction("mixgrpo_last_error").invokeString(new Object[0], false));
  }

  /** The handle that mixgrpo_name writes to its last argument. */
  static Pointer create(String name, Object... arguments) {
    PointerByReference out = new PointerByReference();
    Object[] all = Arrays.copyOf(arguments, arguments.length + 1);
    all[arguments.length] = out;
    call(name, all);
    return out.getValue();
  }

  static double darkness(byte[] image) { // the reward: any code of yours, nothing need be differentiable
    long sum = 0;
    for (byte value : image) sum += Byte.toUnsignedInt(value);
    return 1 - sum / (255.0 * VALUES);
  }

  public static void main(String[] arguments) throws Exception {
    Header header = new Header("include/mixgrpo.h");
    String base = arguments.length > 0 ? arguments[0] : "examples/base";
    int iterations = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 20;
    String[] lines = {"a red circle at the left", "a blue square in the middle"};
    Header.Struct geometry = header.struct("mixgrpo_evaluator_config");
    Header.Struct sampling = header.struct("mixgrpo_sampling_config");
    Header.Struct learning = header.struct("mixgrpo_learning_config");
    Header.Struct metrics = header.struct("mixgrpo_metrics");

    Pointer context = create("context_create", 0); // one thread per core
    Pointer model = create("model_load", context, base);
    Pointer prompts = create("prompts_create_hashed_words", context, new StringArray(lines), (long) PROMPTS, 16, 64, 64);
    call("evaluator_config_init", geometry, geometry.size()); // 8 × 8 image tokens
    geometry.set("text_length", 16);
    Pointer evaluator = create("evaluator_create", model, geometry, null, 0L);
    call("config_init", sampling, sampling.size(), learning, learning.size()); // the paper's MixGRPO
    sampling.set("steps", 12);
    sampling.set("group_size", GROUP);
    learning.set("learning_rate", 2e-5);
    Pointer plan = create("plan_create", sampling, null, 0L);
    StringArray names = new StringArray(new String[] {"darkness"});
    Pointer trainer = create("trainer_create", evaluator, prompts, plan, learning, names, 1L, 0);

    Progress progress = (userData, at) -> // a callback; the variable keeps it alive
        System.err.printf("\r%3d %%", 100 * at.getLong(8) / at.getLong(16));
    call("context_set_progress", context, progress, null);

    Memory samples = new Memory(4L * IMAGES * VALUES), pixels = new Memory((long) IMAGES * VALUES);
    for (int iteration = 0; iteration < iterations; iteration++) {
      double[] rewards = new double[IMAGES];
      call("trainer_rollout", trainer, new int[] {0, 1}, (long) PROMPTS, samples, (long) IMAGES * VALUES);
      call("pixels_decode", samples, (long) IMAGES * VALUES, (long) IMAGES, 32, 32, 4, pixels, (long) IMAGES * VALUES);
      for (int i = 0; i < IMAGES; i++) rewards[i] = darkness(pixels.getByteArray((long) i * VALUES, VALUES));
      call("trainer_update", trainer, rewards, (long) IMAGES, null, 0L, metrics);
      System.out.printf(Locale.ROOT, "iteration %d: darkness %.3f%n", iteration, metrics.getDouble("reward_mean"));
    }
    call("model_save", model, "aligned", header.constant("MIXGRPO_STORAGE_BF16")); // a diffusers folder
    java.lang.ref.Reference.reachabilityFence(progress);
  }
}
