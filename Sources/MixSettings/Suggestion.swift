/// ` such as "name"`, when one of `names` is close to `word`: at most a third of its letters differ.
package func suggestion(for word: String, among names: [String]) -> String {
  nearest(to: word, among: names).map { " such as \"\($0)\"" } ?? ""
}

/// The one of `names` that is close to `word`: at most a third of its letters differ.
package func nearest(to word: String, among names: [String]) -> String? {
  let nearest = names.map { (name: $0, distance: editDistance(word, $0)) }.min { $0.distance < $1.distance }
  guard let nearest, nearest.distance <= max(1, min(word.count, 64) / 3) else { return nil }
  return nearest.name
}

/// The number of letters to insert, remove, replace, or swap with their neighbour, within the first 64 letters of each.
package func editDistance(_ first: String, _ second: String) -> Int {
  let (first, second) = (Array(first.prefix(64)), Array(second.prefix(64)))
  var beforeLast: [Int] = []
  var last = Array(0...second.count)
  for row in first.indices {
    var current = [row + 1]
    for column in second.indices {
      let isSame = first[row] == second[column]
      var best = min(last[column] + (isSame ? 0 : 1), last[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
        best = min(best, beforeLast[column - 1] + 1)
      }
      current.append(best)
    }
    (beforeLast, last) = (last, current)
  }
  return last.last ?? 0
}
