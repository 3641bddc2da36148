package data

import (
	"io/fs"
)

func init() {
	register(Format{
		Name: "parquet", Doc: "recognised, not supported yet", Source: "https://parquet.apache.org/docs/file-format/",
		is:   func(path string, info fs.FileInfo) bool { return !info.IsDir() && hasExt(path, ".parquet") },
		open: notYet("convert it to csv:FILE or npz:FILE, or unpack the pictures to imagefolder:DIR"),
	})
	register(Format{
		Name: "tar", Doc: "webdataset shards: recognised, not supported yet", Source: "https://github.com/webdataset/webdataset",
		is:   func(path string, info fs.FileInfo) bool { return !info.IsDir() && hasExt(path, ".tar", ".tgz") },
		open: notYet("unpack it and read imagefolder:DIR or images:DIR, or a csv:FILE that lists the pictures"),
	})
}

func notYet(remedy string) func(Spec, Options, int) (Dataset, error) {
	return func(spec Spec, _ Options, _ int) (Dataset, error) {
		return nil, &FormatError{Path: spec.Path, Problem: spec.Format, Err: ErrUnsupported, Remedy: remedy}
	}
}
