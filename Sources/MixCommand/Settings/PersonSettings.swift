import MixGRPO
import MixSettings

/// How a person votes, when the reward `person` is one of the rewards.
struct PersonSettings: SettingsTable {
  enum Kind: String, CaseIterable { case favourites, stars, pairs }

  var votes = ""
  var port = 0
  var undoSeconds = 2.0
  var kind = Kind.favourites

  static var settings: [Setting<PersonSettings>] {
    [
      .text("votes", \.votes, "votes.jsonl of an earlier run, whose votes are repeated; empty for none"),
      .integer("port", \.port, 0...65_535, "port of the page on 127.0.0.1; 0 for any that is free").withoutEffect,
      .number(
        "undo_seconds", \.undoSeconds, .closed(0, 3_600), unit: "seconds",
        "time in which the last vote of an iteration can be taken back before the model learns from it"
      ).withoutEffect,
      .choice("kind", \.kind, "how the page asks first; the person may change it").withoutEffect,
    ]
  }
}
