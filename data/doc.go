// Package data reads data sets and turns them into batches of tensors.
//
// A [Dataset] gives examples by index: a picture as a uint8 or uint16 tensor [C,H,W], or any other tensor, with a
// class, a regression target, a ground-truth mask and group names where the data has them. [Open] reads the
// formats below, one file of this package each. [Batches] iterates: it decodes, augments and preprocesses in background
// goroutines and yields batches in an order and with a content that depend on the seed alone.
//
//	imagefolder:DIR        one sub-folder per class, sorted by name, or pictures that metadata.csv or .jsonl lists; #train and the like
//	images:DIR             pictures without classes (also pictures:DIR)
//	masks:DIR              pictures and the class of each of their pixels
//	idx:DIR#train|test     MNIST and its relatives, .gz or not
//	cifar10:DIR#train|test the binary version
//	csv:FILE               numeric features, or a list of picture files, with labels, targets or masks
//	npz:FILE               x of any type and shape, or arrays by the names of inputs, and labels or targets
//	npy:FILE, npy:DIR      one array x, or x.npy, y.npy … as in an npz
//	safetensors:FILE       arrays as in an npz
//	parquet:FILE, :DIR     tables, pictures and lists in files of pages, #train and the like by their names
//	webdataset:FILE.tar    samples of files with one name, also a folder of tar files or shards-{000..010}.tar
//	window:FILE?in=N&out=M pieces of a series in a csv, to forecast
//	text:FILE?length=N     pieces of a text as bytes, each with the byte behind it as its label
//	keep:LIST@SPEC         the examples of SPEC that the file LIST names
//	relabel:LIST@SPEC      SPEC with the labels that the table LIST decides
//	digits#train|test|all  1797 handwritten digits, embedded
//	shapes#train|test      drawn on the fly, with ground-truth masks and label noise on request
//
// [Preprocess] says what happens between the picture and the model, and travels in the model's metadata.
//
// Files are not trusted: sizes are checked before memory is taken, and what is wrong is a [*FormatError] that
// names file, place and remedy.
package data
