import com.sun.jna.Memory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The constants and the layouts of structs, read from mixgrpo.h, which has only fields of 4 and of 8 bytes. */
final class Header {
  private final String text;

  Header(String path) throws Exception {
    text = Files.readString(Path.of(path)).replaceAll("(?s)/\\*.*?\\*/", "");
  }

  /** The value of a constant such as MIXGRPO_STORAGE_BF16. */
  int constant(String name) {
    Matcher found = Pattern.compile("\\b" + name + "\\s*=?\\s*(-?\\d+)").matcher(text);
    if (!found.find()) throw new IllegalArgumentException(name);
    return Integer.parseInt(found.group(1));
  }

  /** A zeroed struct whose struct_size is set. */
  Struct struct(String name) {
    Matcher found = Pattern.compile("typedef struct " + name + " \\{(.*?)\\}", Pattern.DOTALL).matcher(text);
    if (!found.find()) throw new IllegalArgumentException(name);
    Map<String, Long> offsets = new HashMap<>();
    long end = 0;
    Matcher field = Pattern.compile("([\\w *]+?)(\\w+)(?:\\[(\\d+)\\])?;").matcher(found.group(1));
    while (field.find()) {
      boolean wide = field.group(1).matches(".*(\\*|double|size_t|int64_t).*");
      long size = wide ? 8 : 4;
      long offset = (end + size - 1) / size * size;
      offsets.put(field.group(2), offset);
      end = offset + size * (field.group(3) == null ? 1 : Long.parseLong(field.group(3)));
    }
    return new Struct((end + 7) / 8 * 8, offsets);
  }

  /** The memory of one struct. */
  static final class Struct extends Memory {
    private final Map<String, Long> offsets;

    Struct(long size, Map<String, Long> offsets) {
      super(size);
      this.offsets = offsets;
      clear();
      set("struct_size", (int) size);
    }

    void set(String field, int value) { setInt(offsets.get(field), value); }
    void set(String field, double value) { setDouble(offsets.get(field), value); }
    double getDouble(String field) { return getDouble(offsets.get(field)); }
  }
}
