import MixCommand

@main
enum Main {
  static func main() {
    #if MIXGRPO_MPI
    MixgrpoCommand.start(MPITransport())
    #else
    MixgrpoCommand.start()
    #endif
  }
}
