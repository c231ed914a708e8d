// One import gives the whole library.
@_exported import MixBasics
@_exported import MixFlowModel
@_exported import MixStorage
