import MixCommand

@main
enum Main {
  static func main() { MixgrpoCommand.start() }
}
