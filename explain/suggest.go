package explain
func didYouMean(name string, known []string) string { return "" }
