import Glibc

#if LIBFUZZER
/// libFuzzer's own loop, in place of the seeded one.
@_silgen_name("LLVMFuzzerRunDriver")
private func libFuzzerRunDriver(
  _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

nonisolated(unsafe) private var reader: Reader?

func runLibFuzzer(_ format: Format, _ arguments: [String]) -> Never {
  reader = try? Reader(format)
  var count = Int32(arguments.count + 1)
  let texts = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 2)
  for (index, argument) in (["formats"] + arguments).enumerated() { texts[index] = strdup(argument) }
  texts[arguments.count + 1] = nil
  var pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = texts
  let status = libFuzzerRunDriver(&count, &pointer) { bytes, size in
    _ = reader?.read(Array(UnsafeBufferPointer(start: bytes, count: size)))
    return 0
  }
  reader?.scratch.remove()
  exit(status)
}
#else
func runLibFuzzer(_ format: Format, _ arguments: [String]) -> Never {
  quit("error: built without libFuzzer; see `make fuzz`")
}
#endif
