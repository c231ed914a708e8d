import MixBasics

/// The code of the error that a body throws; nil when it throws none. Errors of other types go on to the test.
package func errorCode<Value>(_ body: () throws -> Value) throws -> MixGRPOError.Code? {
  do {
    _ = try body()
    return nil
  } catch let error as MixGRPOError {
    return error.code
  }
}
