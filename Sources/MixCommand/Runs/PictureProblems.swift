import MixGRPO

/// The problems of a folder of pictures, and the commands that solve them.
struct PictureProblems {
  private let folder: String
  private var problems = ProblemList()
  /// The ending of the first file in another format, such as `jpg`.
  private var foreignEnding: String?
  private var hasOtherSizes = false

  init(folder: String) { self.folder = folder }

  mutating func add(_ error: MixGRPOError, of fileName: String) throws(MixGRPOError) {
    try problems.add(error)
    if error.code == .invalidArgument { hasOtherSizes = true }
    guard error.code == .invalidFormat, foreignEnding == nil else { return }
    let path = FileAccess.join(folder, fileName)
    if try ForeignPicture.format(ofFile: path) != nil { foreignEnding = fileName.split(separator: ".").last.map(String.init) }
  }

  func throwIfAny() throws(MixGRPOError) {
    let advice = [foreignEnding.map(conversion), hasOtherSizes ? "--resize SIDE scales all pictures to one size" : nil]
    try problems.throwIfAny(advice: advice.compactMap { $0 }.joined(separator: "; "))
  }

  /// Makes PNGs of all files with an ending, and names them in the metadata.
  private func conversion(_ ending: String) -> String {
    let tool = "pictures are PNGs; make some of these with ImageMagick: "
    guard ending.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else { return tool + "mogrify -format png FILES" }
    let convert = "cd \(shellWord(folder)) && find . -name '*.\(ending)' -exec mogrify -format png {} +"
    let rename = " && sed -i 's/\\.\(ending)\"/.png\"/' \(CaptionedImageFolder.metadataName)"
    return tool + convert + (ending == "png" ? "" : rename)
  }
}

/// A word that a shell reads as it stands.
func shellWord(_ text: String) -> String {
  let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-:=,+@%".contains($0)) }
  return isPlain && !text.isEmpty
    ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
