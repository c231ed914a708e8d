/// The release of this library, as `mixgrpo.h` names it.
public let libraryVersion = "0.1.0"
