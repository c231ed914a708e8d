import MixBasics

/// The product of sizes; an overflow is an error.
package func product(_ sizes: Int..., field: String) throws(MixGRPOError) -> Int {
  var total = 1
  for size in sizes {
    let (value, overflow) = total.multipliedReportingOverflow(by: size)
    try require(!overflow && size >= 0, field, expected: "a size in memory", got: sizes)
    total = value
  }
  return total
}
