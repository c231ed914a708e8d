import MixCompare

/// 1:05, or 2:03:04 from an hour on.
func duration(_ seconds: Double) -> String {
  guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
  let whole = Int(seconds.rounded(.up))
  let minutes = whole / 60 % 60
  let hours = whole / 3600
  return (hours > 0 ? "\(hours):\(padded(minutes, 2))" : "\(minutes)") + ":\(padded(whole % 60, 2))"
}

/// A measured or estimated time in one unit: 0.35 s, 12 s, 4.2 min, 3.1 h, 2.5 days.
func spokenDuration(_ seconds: Double) -> String {
  let units = [(86_400.0 * 2, 86_400.0, "days"), (5_400, 3_600, "h"), (90, 60, "min")]
  let (_, unit, name) = units.first { seconds >= $0.0 } ?? (0, 1, "s")
  let value = seconds / unit
  return "\(value < 100 ? significant(value, 2) : fixed(value, 0)) \(name)"
}
