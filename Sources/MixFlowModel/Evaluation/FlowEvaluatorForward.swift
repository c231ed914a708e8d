import MixNumerics

/// The forward of a batch: samples in parallel, each through all layers.
extension FlowEvaluator {
  /// Velocities of one batch; rows that are remembered are not computed.
  func evaluate(_ batch: EvaluationBatch, _ keep: KeptActivations, into velocity: UnsafeMutablePointer<Float>) {
    recall(batch, keep, into: velocity)
    let (activations, newRows) = (training?.saved, newRows)
    Team.lead(threads: workers.count) { team in
      packed.refresh(model, weights, merged, workerScratch, team: team)
      conditioning.prepare(batch, weights: weights, team: team)
      projectTexts(batch)
      forEachSample(newRows, team) { row, pass in
        forward(row, of: batch, saving: place(of: row, keep, activations), into: velocity + row * velocitySize, pass)
      }
    }
    remember(batch, keep, velocity)
  }

  /// Fills in remembered velocities; `newRows` lists the rows that must be computed.
  private func recall(_ batch: EvaluationBatch, _ keep: KeptActivations, into velocity: UnsafeMutablePointer<Float>) {
    newRows.removeAll(keepingCapacity: true)
    for row in 0..<batch.count {
      if case .all = keep,
        let known = training?.remembered.velocity(
          row, condition(batch, row), latents: batch.latents + row * latentSize)
      {
        (velocity + row * velocitySize).update(from: known, count: velocitySize)
      } else {
        newRows.append(row)
      }
    }
    recalledRows += batch.count - newRows.count
    if case .all = keep { training?.remembered.forget() }
  }

  /// Remembers the inputs and velocities of rows whose activations are kept.
  private func remember(_ batch: EvaluationBatch, _ keep: KeptActivations, _ velocity: UnsafePointer<Float>) {
    guard case .rows = keep else { return }
    for row in 0..<batch.count {
      guard let place = keep.place(of: row) else { continue }
      training?.remembered.remember(
        place, condition(batch, row), latents: batch.latents + row * latentSize, velocity: velocity + row * velocitySize)
    }
  }

  private func condition(_ batch: EvaluationBatch, _ row: Int) -> RememberedRows.Condition {
    RememberedRows.Condition(
      weightsVersion: model.weightsVersion, prompts: batch.prompts.identity, prompt: batch.promptIndex[row],
      sigma: batch.sigmas[row], guidance: batch.guidance[row])
  }

  /// As long as there is a sample for every thread, each thread takes one; all threads share each of the remaining samples.
  func forEachSample(
    _ samples: some RandomAccessCollection<Int>, _ team: Team, _ body: (_ sample: Int, SamplePass) -> Void
  ) {
    let whole = samples.dropLast(samples.count % workers.count)
    team.forEach(whole.count) { index, worker in
      let sample = whole[whole.index(whole.startIndex, offsetBy: index)]
      body(sample, pass(sample, .alone, worker))
    }
    for sample in samples.suffix(samples.count % workers.count) { body(sample, pass(sample, team, 0)) }
  }

  /// - Parameter worker: selects the memory; 0 for a team that shares the sample.
  @inline(never)
  private func pass(_ sample: Int, _ team: Team, _ worker: Int) -> SamplePass {
    SamplePass(
      team: team, weights: weights, modulation: conditioning.modulation(sample), scratch: arena.forward[worker],
      workerScratch: workerScratch.from(worker))
  }

  private func place(of row: Int, _ keep: KeptActivations, _ activations: SavedActivations?) -> SavedPlace? {
    keep.place(of: row).flatMap { place in activations.map { SavedPlace(activations: $0, sample: place) } }
  }

  @inline(never)
  private func forward(
    _ sample: Int, of batch: EvaluationBatch, saving: SavedPlace?, into velocity: UnsafeMutablePointer<Float>,
    _ pass: SamplePass
  ) {
    let latents = UnsafeMutablePointer(mutating: batch.latents) + sample * latentSize
    let stream = ResidualStream(shape: shape, saving: saving, scratch: pass.scratch)
    inputLayer.forward(latents, projectedText: projectedText(promptRow[sample]), into: stream.input, pass)
    for index in 0..<shape.doubleBlocks {
      forwardDouble(index, stream, pass)
    }
    for index in 0..<shape.singleBlocks {
      forwardSingle(index, stream, pass)
    }
    outputLayer.forward(stream.final, into: velocity, pass)
  }

  @inline(never)
  private func forwardDouble(_ index: Int, _ stream: ResidualStream, _ pass: SamplePass) {
    doubleBlock(index).forward(stream.double(index), into: stream.output(ofDouble: index), pass)
  }

  @inline(never)
  private func forwardSingle(_ index: Int, _ stream: ResidualStream, _ pass: SamplePass) {
    singleBlock(index).forward(stream.single(index), into: stream.output(ofSingle: index), pass)
  }

  /// Text through the input layer, once per distinct prompt of the batch.
  @inline(never)
  private func projectTexts(_ batch: EvaluationBatch) {
    for sample in 0..<batch.count {
      let prompt = batch.promptIndex[sample]
      var first = 0
      while batch.promptIndex[first] != prompt { first += 1 }
      promptRow[sample] = first
      guard first == sample else { continue }
      inputLayer.projectText(promptText(batch.prompts, prompt), into: projectedText(sample), weights)
    }
  }

  func promptText(_ prompts: PromptEmbeddings, _ prompt: Int32) -> Matrix {
    let size = textLength * shape.textWidth
    return Matrix(prompts.text.base + Int(prompt) * size, rows: textLength, columns: shape.textWidth)
  }

  private func projectedText(_ row: Int) -> Matrix {
    arena.texts.rows(row * textLength..<(row + 1) * textLength)
  }
}
