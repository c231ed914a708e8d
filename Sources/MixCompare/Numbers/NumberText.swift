#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A number with a fixed number of decimals, independent of the locale; "–" for values that are not finite.
package func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite else { return "–" }
  let scale = (0..<decimals).reduce(1.0) { power, _ in power * 10 }
  let scaled = (value.magnitude * scale).rounded()
  guard scaled < 1e15 else { return "\(value)" }
  let (whole, unit) = (Int(scaled), Int(scale))
  let sign = value < 0 && whole > 0 ? "-" : ""
  let digits = "\(whole % unit)"
  let fraction = decimals > 0 ? "." + String(repeating: "0", count: decimals - digits.count) + digits : ""
  return "\(sign)\(whole / unit)\(fraction)"
}

/// A number with `digits` significant digits, such as 0.7500, 12.50 or 4e-6; "–" for values that are not finite.
package func significant(_ value: Double, _ digits: Int = 4) -> String {
  guard value.isFinite else { return "–" }
  if value == 0 { return "0" }
  let exponent = decimalExponent(of: value.magnitude, digits)
  if (-3..<7).contains(exponent) { return fixed(value, max(0, digits - 1 - exponent)) }
  var mantissa = fixed(scaled(value, by: -exponent), digits - 1)
  if mantissa.contains(".") {
    while mantissa.hasSuffix("0") { mantissa.removeLast() }
    if mantissa.hasSuffix(".") { mantissa.removeLast() }
  }
  return "\(mantissa)e\(exponent)"
}

/// A change with its sign: "+0.0125", "-4e-6", "+0".
package func signed(_ change: Double, _ digits: Int = 3) -> String {
  let text = significant(change, digits)
  return change.isFinite && change >= 0 ? "+\(text)" : text
}

/// The exponent after rounding to `digits` digits: 0.99996 with four digits is 1.000, so 0.
private func decimalExponent(of magnitude: Double, _ digits: Int) -> Int {
  let exponent = Int(log10(magnitude).rounded(.down))
  let limit = 10 - 0.5 * pow(10, Double(1 - digits))
  return scaled(magnitude, by: -exponent) >= limit ? exponent + 1 : exponent
}

/// value · 10^power in two steps, because 10^power alone may overflow.
private func scaled(_ value: Double, by power: Int) -> Double {
  let half = power / 2
  return value * pow(10, Double(half)) * pow(10, Double(power - half))
}
