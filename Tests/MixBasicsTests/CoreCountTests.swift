import Testing

@testable import MixBasics

struct CoreCountTests {
  @Test(
    arguments: [
      ("max 100000\n", nil), ("150000 100000\n", 1), ("200000 100000\n", 2), ("399999 100000\n", 3), ("50000 100000\n", 1),
      ("1000 1000000\n", 1), ("", nil), ("200000\n", nil), ("200000 0\n", nil), ("-1 100000\n", nil), ("a b\n", nil),
      ("200000 100000 7\n", nil),
    ] as [(String, Int?)])
  func quotaOfVersion2IsRoundedDownAndAtLeast1(_ text: String, _ cores: Int?) {
    #expect(CoreCount.unifiedQuota(KernelFile(text: text)) == cores)
  }

  @Test(
    arguments: [
      ("-1\n", "100000\n", nil), ("250000\n", "100000\n", 2), ("1000\n", "100000\n", 1), ("250000\n", nil, nil),
      (nil, "100000\n", nil), ("250000\n", "0\n", nil),
    ] as [(String?, String?, Int?)])
  func quotaOfVersion1NeedsBothFiles(_ quota: String?, _ period: String?, _ cores: Int?) {
    let files = (quota.map(KernelFile.init(text:)), period.map(KernelFile.init(text:)))
    #expect(CoreCount.legacyQuota(files.0, period: files.1) == cores)
  }

  @Test(
    arguments: [
      ("0-7\n", 8), ("3\n", 1), ("0-3,8,10-11\n", 7), ("\n", nil), ("", nil), ("0-\n", nil), ("-3\n", nil), ("7-0\n", nil),
      ("0-3,a\n", nil), ("0-99999999999999999999\n", nil), ("0-1-2\n", nil),
    ] as [(String, Int?)])
  func sizeOfACoreSetIsThatOfItsRanges(_ text: String, _ cores: Int?) {
    #expect(CoreCount.setSize(KernelFile(text: text)) == cores)
  }

  @Test func coresAreAtMostThoseOfTheThreadsAffinity() throws {
    let affinity = try #require(CoreCount.affinity)
    #expect(affinity >= 1)
    #expect((1...affinity).contains(CoreCount.available))
  }

  @Test func processesShareTheCoresAndEachHasOneAtLeast() {
    #expect(CoreCount.share(ofProcesses: 0) == CoreCount.available)
    #expect((1...CoreCount.available).contains(CoreCount.share(ofProcesses: 2)))
    #expect(CoreCount.share(ofProcesses: 1_000_000) == 1)
  }

  @Test func contextTakesTheCoresThatAreAvailable() throws {
    #expect(try RunContext().threads == CoreCount.available)
  }
}
