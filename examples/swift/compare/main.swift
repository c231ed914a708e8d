import MixCompare

CompareCommand.main()
