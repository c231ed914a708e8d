// swift-tools-version: 6.2
import PackageDescription

// On x86-64 the kernels are compiled for AVX2 and FMA, or with MIXGRPO_PROCESSOR=x86-64-v4 for AVX-512. Results are
// bit-identical. Creating a context fails on a processor without these instructions.
#if arch(x86_64)
let processor = Context.environment["MIXGRPO_PROCESSOR"] ?? "x86-64-v3"
guard ["x86-64-v3", "x86-64-v4"].contains(processor) else {
  fatalError("MIXGRPO_PROCESSOR: expected x86-64-v3 or x86-64-v4, got \(processor)")
}
let processorFlags = ["-Xcc", "-march=\(processor)"]
let processorSettings: [SwiftSetting] =
  processor == "x86-64-v4" ? [.define("MIXGRPO_AVX512", .when(configuration: .release))] : []
#else
let processorFlags: [String] = []
let processorSettings: [SwiftSetting] = []
#endif
let kernelSettings =
  processorSettings + [
    .unsafeFlags(["-Ounchecked", "-Xcc", "-fno-math-errno"] + processorFlags, .when(configuration: .release))
  ]

// MIXGRPO_SANITIZER=1 for builds with --sanitize: the sanitizer's functions are resolved in the program that loads the library.
let noMissingSymbols = Context.environment["MIXGRPO_SANITIZER"] == nil ? ["-Xlinker", "-z", "-Xlinker", "defs"] : []

// libmixgrpo.so contains private copies of the Swift runtime and of libpng with zlib, so that it runs on systems without them.
// MIXGRPO_PNG=shared links the system's libpng instead.
let libPNGIsStatic = Context.environment["MIXGRPO_PNG"] != "shared"
let libPNG =
  libPNGIsStatic
  ? ["-Xlinker", "-l:libpng16.a", "-Xlinker", "-l:libz.a", "-Xlinker", "--wrap=stderr"] : ["-lpng16"]

let libraryLinkerFlags =
  noMissingSymbols + [
    "-static-stdlib", "-Xlinker", "-z", "-Xlinker", "nodelete", "-Xlinker", "--start-group",
    "-lswiftSynchronization", "-lswiftCore", "-lswift_Concurrency", "-lswift_StringProcessing", "-lswift_RegexParser",
    "-ldispatch", "-lBlocksRuntime", "-Xlinker", "--end-group", "-Xlinker",
    "--version-script=\(Context.packageDirectory)/Sources/MixGRPOC/exports.map", "-Xlinker", "--gc-sections",
    "-Xlinker", "--exclude-libs=ALL", "-Xlinker", "-soname=libmixgrpo.so.0",
  ] + libPNG

// MIXGRPO_MPI=1: the command works under mpirun. The value may also be the name of another MPI in pkg-config, such as mpich.
let mpi = Context.environment["MIXGRPO_MPI"].flatMap { $0.isEmpty || $0 == "0" ? nil : $0 == "1" ? "ompi-c" : $0 }
let mpiTargets: [Target] =
  mpi.map { name in
    [
      .systemLibrary(name: "CMPI", pkgConfig: name),
      .target(
        name: "MPICollective", dependencies: ["CMPI"], path: "examples/mpi", exclude: ["align.c"], publicHeadersPath: "."),
    ]
  } ?? []

// The command also contains the Swift runtime, with the part of Foundation that its argument parser needs.
let commandLinkerFlags =
  [
    "-static-stdlib", "-Xlinker", "--start-group", "-lFoundationEssentials", "-l_FoundationCShims", "-l_FoundationCollections",
    "-lswiftSynchronization", "-lswiftCore", "-lswift_Concurrency", "-lswift_StringProcessing", "-lswift_RegexParser",
    "-ldispatch", "-lBlocksRuntime", "-Xlinker", "--end-group", "-Xlinker", "--gc-sections",
  ]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// An example executable: a tutorial program under `examples/swift`, or a measuring program under `examples/lab`.
func example(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["MixGRPO", "MixGRPOSystemLibraries"] + dependencies,
    path: path ?? "examples/swift/\(name)")
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.target(name: name), "TestSupport", "MixGRPOSystemLibraries"] + dependencies,
    resources: resources)
}

let package = Package(
  name: "mixgrpo",
  products: [
    .library(name: "MixGRPO", targets: ["MixGRPO", "MixGRPOSystemLibraries"]),
    .library(name: "mixgrpo", type: .dynamic, targets: ["MixGRPOC"]),
    // Installed as bin/mixgrpo; among the products that name belongs to the library.
    .executable(name: "mixgrpo-command", targets: ["MixGRPOCommand"]),
  ],
  dependencies: [.package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")],
  targets: mpiTargets + [
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas"),
    .systemLibrary(name: "CPNG"),
    .systemLibrary(name: "CMixGRPO", path: "include"),
    .systemLibrary(name: "CProcessor"),
    .target(name: "CStandardError"),
    .target(name: "CProcess"),
    .target(name: "CHalfProducts"),
    .target(name: "MixGRPOSystemLibraries", linkerSettings: [.linkedLibrary("png16")]),

    // Each target may import only targets above it.
    .target(name: "MixBasics", dependencies: ["CProcess", "CProcessor"], swiftSettings: processorSettings),
    .target(
      name: "MixNumerics", dependencies: ["MixBasics", "CHalfProducts", "CProcess", "CProcessor"],
      swiftSettings: kernelSettings),
    .target(name: "MixFlowModel", dependencies: ["MixBasics", "MixNumerics"]),
    .target(name: "MixStorage", dependencies: ["MixBasics", "CPNG"]),
    .target(name: "MixSettings", dependencies: ["MixBasics", "MixStorage", "CMixGRPO"]),
    .target(name: "MixSampling", dependencies: ["MixBasics", "MixNumerics", "MixSettings", "CMixGRPO"]),
    .target(name: "MixLearning", dependencies: ["MixBasics", "MixNumerics", "MixSampling", "MixSettings", "CMixGRPO"]),
    .target(
      name: "MixGRPO",
      dependencies: [
        "MixBasics", "MixNumerics", "MixFlowModel", "MixSampling", "MixLearning", "MixStorage", "MixSettings", "CMixGRPO",
      ]),
    .target(
      name: "MixGRPOC",
      dependencies: [
        "MixBasics", "MixNumerics", "MixFlowModel", "MixSampling", "MixLearning", "MixStorage", "MixSettings", "MixGRPO",
        "CMixGRPO", "CProcess",
      ] + (libPNGIsStatic ? ["CStandardError"] : []),
      exclude: ["exports.map"],
      linkerSettings: [.unsafeFlags(libraryLinkerFlags)]),

    // What all subcommands share: standard output and error, and how a run is stopped.
    .target(name: "MixTerminal", dependencies: ["MixBasics"]),

    // `mixgrpo compare`: compares the methods of the paper on a world of simple pictures.
    .target(name: "ProceduralWorld", dependencies: ["MixGRPO"]),
    .target(name: "MixCompare", dependencies: ["MixBasics", "MixStorage", "MixTerminal", "ProceduralWorld", argumentParser]),

    // The command `mixgrpo`: a library, so that its parts can be tested, and an executable that starts it.
    .target(
      name: "MixCommand", dependencies: ["MixGRPO", "MixSettings", "CMixGRPO", "MixCompare", "MixTerminal", argumentParser],
      resources: [.embedInCode("Pages/report.html"), .embedInCode("Pages/person.html")]),
    .executableTarget(
      name: "MixGRPOCommand",
      dependencies: ["MixCommand", "MixGRPO", "MixGRPOSystemLibraries"] + (mpi == nil ? [] : ["MPICollective"]),
      swiftSettings: mpi == nil ? [] : [.define("MIXGRPO_MPI")],
      linkerSettings: [.unsafeFlags(commandLinkerFlags)]),

    example("align", ["ProceduralWorld", argumentParser]),
    example("quickstart"),
    example("conformance"),
    // OpenBLAS is the baseline for the library's matrix products.
    example(
      "benchmark", ["COpenBLAS", "MixBasics", "MixNumerics", "MixStorage", argumentParser], path: "examples/lab/benchmark/swift"
    ),
    example("world", ["MixStorage", "ProceduralWorld", argumentParser], path: "examples/lab/world"),

    // Feeds damaged inputs to all readers; used by `make fuzz`.
    .executableTarget(
      name: "formats", dependencies: ["MixBasics", "MixFlowModel", "MixStorage", "MixGRPO", "MixGRPOSystemLibraries"],
      path: "Tests/fuzz/formats",
      swiftSettings: Context.environment["MIXGRPO_LIBFUZZER"] == nil ? [] : [.define("LIBFUZZER")]),

    // What the tests below share.
    .target(name: "TestSupport", dependencies: ["MixBasics"], path: "Tests/TestSupport"),
    tests("MixBasics"),
    tests("MixNumerics", ["MixBasics", "CHalfProducts", "COpenBLAS"]),
    tests("MixFlowModel", ["MixStorage", "MixGRPO"], resources: [.copy("Fixtures")]),
    tests("MixSampling", ["MixBasics", "MixNumerics"]),
    tests("MixLearning", ["MixBasics", "MixNumerics", "MixSampling"]),
    tests("MixStorage", ["MixBasics"], resources: [.copy("Fixtures")]),
    tests("MixGRPO", ["MixFlowModel", "MixStorage", "MixSettings", "CMixGRPO", "ProceduralWorld"]),
    tests("MixCommand", ["MixGRPO", "MixSettings"]),
    tests("MixCompare", ["ProceduralWorld"]),
  ],
  swiftLanguageModes: [.v6]
)

// In CI a warning is an error.
if Context.environment["CI"] != nil {
  for target in package.targets where target.type != .system {
    target.swiftSettings = (target.swiftSettings ?? []) + [.treatAllWarnings(as: .error)]
  }
}

// SwiftPM compiles a target again when a dependency that it names has changed. Optimised code also contains the layout of classes
// further below, so every target names all targets below it. What a target may import is what it declares above: `make lint` asks
// for that alone.
func targetName(_ dependency: Target.Dependency) -> String? {
  switch dependency {
  case .targetItem(let name, _), .byNameItem(let name, _): name
  default: nil
  }
}

if Context.environment["MIXGRPO_DECLARED_DEPENDENCIES"] == nil {
  var below: [String: [String]] = [:]  // by target; a target stands after those that it depends on
  for target in package.targets {
    let declared = target.dependencies.compactMap(targetName)
    let deeper = Set(declared.flatMap { below[$0] ?? [] }).subtracting(declared).sorted()
    target.dependencies += deeper.map { .target(name: $0) }
    below[target.name] = declared.filter { name in package.targets.contains { $0.name == name } } + deeper
  }
}
