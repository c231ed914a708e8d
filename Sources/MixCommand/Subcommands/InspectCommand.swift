import ArgumentParser
import MixGRPO
import MixTerminal

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Describes a model, an adapter, a checkpoint, a run, a safetensors file or a picture.",
    discussion: """
      Shows names, shapes, element types and sizes of tensors, the settings of models and checkpoints, the results of a run, \
      and the text in a PNG. Only headers are read, so large files take no longer than small ones.

        mixgrpo inspect examples/base
        mixgrpo inspect run second third
        mixgrpo inspect embeddings.safetensors --json
        mixgrpo inspect samples.png
      """)

  @Argument(help: "Files or folders.") var paths: [String]
  @Flag(help: "Print JSON, with all tensors: an object, or an array of them for several paths.") var json = false
  @Flag(help: "Omit the list of tensors.") var brief = false

  func run() throws {
    if json {
      let reports = try paths.map { JSONValue.object(try Inspection.report(of: $0)) }
      return show(try (reports.count == 1 ? reports[0] : .array(reports)).text(.indented))
    }
    for (index, path) in paths.enumerated() {
      if index > 0 { show("") }
      try describe(path)
    }
  }

  private func describe(_ path: String) throws(MixGRPOError) {
    if let run = try Inspection.run(at: path) {
      for line in try run.lines() { show(line) }
      return
    }
    for member in try Inspection.report(of: path).members where !(brief && member.name == "tensors") {
      try showMember(member.name, member.value, indent: 0)
    }
  }

  private func showMember(_ name: String, _ value: JSONValue, indent: Int) throws(MixGRPOError) {
    let margin = String(repeating: "  ", count: indent)
    switch value {
    case .object(let object):
      show("\(margin)\(Printable.text(name)):")
      for member in object.members { try showMember(member.name, member.value, indent: indent + 1) }
    case .array(let elements) where elements.contains { $0.object != nil }:
      show("\(margin)\(Printable.text(name)):")
      for element in elements { show("\(margin)  \(try row(element))") }
    case .string(let text): show("\(margin)\(column(Printable.text(name), 24))\(Printable.text(text))")
    default: show("\(margin)\(column(name, 24))\(try value.text())")
    }
  }

  /// The members of an object in a list, as columns.
  private func row(_ element: JSONValue) throws(MixGRPOError) -> String {
    guard let object = element.object else { return try element.text() }
    var row = ""
    for member in object.members {
      let text = if let string = member.value.string { Printable.text(string) } else { try member.value.text() }
      row += column(text, member.name == "name" ? 56 : 14)
    }
    return row
  }
}
