package data

// Namer is a Dataset whose values have names, such as those of columns.
type Namer interface {
	// FeatureNames is the names of the values of X: of its only axis, or of the channels of a series; nil where they have none.
	FeatureNames() []string
	// TargetNames is the names of the values of Y along its last axis, or the one name of all of them; nil where they have none.
	TargetNames() []string
}

// FeatureNames is the names of the values of X (columns of a table, channels of a series), nil for none; it looks through subsets.
func FeatureNames(ds Dataset) []string {
	for ; ds != nil; ds = inner(ds) {
		if n, ok := ds.(Namer); ok {
			return n.FeatureNames()
		}
	}
	return nil
}

// TargetNames is the names of the values of Y (columns of a table), nil for none; it looks through subsets.
func TargetNames(ds Dataset) []string {
	for ; ds != nil; ds = inner(ds) {
		if n, ok := ds.(Namer); ok {
			return n.TargetNames()
		}
	}
	return nil
}
