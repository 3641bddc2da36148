package data

// with is o with the settings behind the name of a data set, which win over flags. A format is asked only for those that it registers.
func (o Options) with(spec Spec) Options {
	for k, v := range spec.Query {
		switch s := v[0]; k {
		case "label":
			o.LabelColumn, o.LabelColumns = s, nil
		case "file", "image":
			o.FileColumn = s
		case "mask":
			o.MaskColumn = s
		case "root":
			o.Root = s
		case "groups":
			o.GroupBy = splitNames(s)
		case "header":
			o.Header = s
		case "task":
			o.Task = s
		case "decimal":
			o.Decimal = s
		case "missing":
			o.Missing = s
		}
	}
	return o
}
