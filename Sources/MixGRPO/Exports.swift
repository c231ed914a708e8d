// One import gives the whole library.
@_exported import MixBasics
@_exported import MixFlowModel
@_exported import MixLearning
@_exported import MixSampling
@_exported import MixStorage
