import MixGRPO
import MixStorage

/// The result of one measurement, passed between processes as a line of JSON.
struct Measurement {
  let model: String
  let part: String
  let threads: Int
  /// Timed runs.
  let runs: Int
  /// Medians over the runs.
  let seconds: Double
  /// Of an iteration; 0 for other parts.
  let secondsRollout: Double
  let secondsUpdate: Double
  /// Of one run. Forwards that an update takes from its rollout are not counted.
  let operations: Double
  let operationsRollout: Double
  let operationsUpdate: Double
  let operationsRecalled: Double
  /// Evaluations of one sample, forward in the rollout and forward and backward in the update.
  let callsRollout: Int
  let callsUpdate: Int
  /// Most memory that the process has held at once.
  let peakBytes: Int
  /// The predicted peak of an iteration, without the process itself; 0 for other parts.
  let predictedBytes: Int

  /// - Parameter recalled: samples of each lap whose forward the update took from the rollout.
  init(
    _ workload: Workload, _ laps: [PreparedWorkload.Lap], recalled: Int, peakBytes: Int, predictedBytes: Int
  ) throws {
    (model, part) = (workload.model.rawValue, workload.part.rawValue)
    threads = resolvedThreads(workload.threads)
    runs = laps.count
    seconds = median(laps.map(\.seconds))
    secondsRollout = median(laps.map(\.rollout))
    secondsUpdate = median(laps.map(\.update))
    let arithmetic = Arithmetic(workload.shape, trainsAdapter: workload.lora > 0)
    let plan = try arithmetic.plan(workload)
    operationsRecalled = arithmetic.recalled(samples: recalled)
    operations = try arithmetic.operations(workload) - operationsRecalled
    operationsRollout = arithmetic.rollout(plan)
    operationsUpdate = arithmetic.update(plan, workload) - operationsRecalled
    callsRollout = plan.modelCalls(prompts: 1)
    callsUpdate = plan.trainingEvaluations(prompts: 1, minibatches: workload.updates)
    (self.peakBytes, self.predictedBytes) = (peakBytes, predictedBytes)
  }

  var json: JSONValue {
    [
      "model": .string(model), "part": .string(part), "threads": .integer(Int64(threads)), "runs": .integer(Int64(runs)),
      "seconds": .measurement(seconds), "seconds_rollout": .measurement(secondsRollout),
      "seconds_update": .measurement(secondsUpdate), "operations": .measurement(operations),
      "operations_rollout": .measurement(operationsRollout), "operations_update": .measurement(operationsUpdate),
      "operations_recalled": .measurement(operationsRecalled),
      "model_calls_rollout": .integer(Int64(callsRollout)), "model_calls_update": .integer(Int64(callsUpdate)),
      "peak_bytes": .integer(Int64(peakBytes)), "predicted_bytes": .integer(Int64(predictedBytes)),
    ]
  }

  /// - Throws: `invalidFormat` unless `text` is what `json` gives.
  init(parsing text: String) throws {
    guard let object = try JSONParser.parse(text, source: "measurement").object else {
      throw MixGRPOError(.invalidFormat, "measurement: expected an object, got \(text)")
    }
    func number(_ name: String) throws -> Double {
      guard let value = object[name]?.double else {
        throw MixGRPOError(.invalidFormat, "measurement: expected a number \(name), got \(text)")
      }
      return value
    }
    model = object["model"]?.string ?? ""
    part = object["part"]?.string ?? ""
    threads = Int(try number("threads"))
    runs = Int(try number("runs"))
    seconds = try number("seconds")
    secondsRollout = try number("seconds_rollout")
    secondsUpdate = try number("seconds_update")
    operations = try number("operations")
    operationsRollout = try number("operations_rollout")
    operationsUpdate = try number("operations_update")
    operationsRecalled = try number("operations_recalled")
    callsRollout = Int(try number("model_calls_rollout"))
    callsUpdate = Int(try number("model_calls_update"))
    peakBytes = Int(try number("peak_bytes"))
    predictedBytes = Int(try number("predicted_bytes"))
  }
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  guard !sorted.isEmpty else { return .nan }
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
