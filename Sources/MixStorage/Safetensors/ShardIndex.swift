import MixBasics

/// Which file of a sharded model holds which tensor: the `weight_map` of `*.safetensors.index.json`.
struct ShardIndex {
  static let maximumShards = 512

  /// Plain file names, each once, in the order of first mention.
  private(set) var shards: [String] = []
  /// Tensor name to position in `shards`.
  private(set) var shardOfTensor: [String: Int] = [:]

  /// - Throws: `invalidFormat` when it is not an index, names a file that is not directly inside the folder, or names too many
  ///   files.
  init(_ bytes: [UInt8], source: String) throws(MixGRPOError) {
    let document = try JSONParser.parse(bytes, source: source)
    guard let map = document.object?["weight_map"]?.object else {
      throw MixGRPOError(.invalidFormat, "\(source): weight_map: expected an object, got none")
    }
    var positions: [String: Int] = [:]
    for member in map.members {
      let shard = try Self.plainName(member, source: source)
      let position = positions[shard] ?? shards.count
      if position == shards.count {
        positions[shard] = position
        shards.append(shard)
      }
      shardOfTensor[member.name] = position
    }
    guard (1...Self.maximumShards).contains(shards.count) else {
      throw MixGRPOError(.invalidFormat, "\(source): weight_map: expected 1…\(Self.maximumShards) files, got \(shards.count)")
    }
  }

  private static func plainName(_ member: JSONObject.Member, source: String) throws(MixGRPOError) -> String {
    if let name = member.value.string, FileAccess.isPlainName(name) { return name }
    let got = member.value.string.map { "\"\(excerpt($0))\"" } ?? member.value.kind
    throw MixGRPOError(
      .invalidFormat, "\(source): weight_map.\(excerpt(member.name)): expected a file name inside the folder, got \(got)")
  }
}
