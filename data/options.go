package data

import (
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// Options says how to read. The zero value reads everything with detection and default limits.
type Options struct {
	// Classes fixes the class list, usually the labels of a model: class names of the data are looked up in it, so that
	// a folder with three classes gets the indices that a 1000-class model has for them. Nil: the data decides.
	Classes []string
	// Task is what labels are, one of Tasks; "" decides by their values.
	Task string

	// Inputs is the columns of a csv that go to each named input of a model, as Fields; an entry may be several names with commas. "*"
	// stands for all features that are in no other list. Without it all features are X.
	Inputs map[string][]string
	// InputNames are the inputs of a model. Without Inputs, a csv that has a column for each of several gives it to that input.
	InputNames []string

	// csv: name or 0-based index, or several with commas; "" finds a usual name, else the last column; "none" has no labels
	LabelColumn  string
	LabelColumns []string // csv: several labels or targets for each example, before LabelColumn
	FileColumn   string   // csv: name or index of the column of picture files; "" finds file, filename, path or image
	MaskColumn   string   // csv of pictures: name or index of the column of mask files; "" finds mask
	Root         string   // csv: folder of the picture files; "" is the folder of the csv file
	GroupBy      []string // csv: columns to keep as groups, not features; text columns are always kept
	Header       string   // csv: "" detects, "true" or "false"
	Decimal      string   // csv: decimal mark, "," or "."; "" finds it
	// csv: what becomes of missing values: "" refuses them, "drop" leaves their rows out, "mean" (of the column) or "zero" fills them in
	Missing string

	AllowNonFinite bool // NaN and infinity in csv and npz are data, not errors
	Limits         Limits

	// FollowLinks follows symbolic links out of a folder of data, and those to folders in folders of classes. Without it a link out is an
	// error; one of a picture is left out where OnBadSample is "skip". The folder itself may be a link.
	FollowLinks bool

	// TensorFile reads tensor files that this package does not know (.pb) for LoadInput; nil refuses them.
	TensorFile func(path string) (*tensor.Tensor, error)

	// Alpha says what becomes of the alpha of pictures: "drop", "white" or "black" (the picture is laid on that ground); "" drops it and
	// notes it (see Notes). ?alpha= in a specification wins. A model that was trained with one of them has it in its Preprocess.
	Alpha string
	// OnBadSample is what becomes of examples that cannot be read: "error" (also ""), when they are asked for, or "skip": all are read
	// once when the data set is opened, on all processors, and those that fail are left out; see Skipped.
	OnBadSample string
}

// Tasks is what Options.Task may be besides "".
//
//	classification  one class for each example: text, class numbers (also written as 0.0, 1.0), or one-hot rows
//	binary          the same with two classes
//	multiclass      the same as classification
//	multilabel      any number of labels for each example: columns of 0 and 1, or names with | or ; between them
//	regression      numbers
//	dense           a class for each position
//	segmentation    a class for each pixel
//	tokens          a class for each token
//	language-model  the next token; needs no labels
func Tasks() []string {
	return []string{"classification", "binary", "multiclass", "multilabel", "regression", "dense", "segmentation", "tokens",
		"language-model"}
}

// checkTask fails for a task that is none.
func (o Options) checkTask(path string) error {
	if o.Task != "" && !slices.Contains(Tasks(), o.Task) {
		return malformed(path, "", didYouMean(o.Task, Tasks()), "no task %q", o.Task)
	}
	return nil
}

// classes reports whether o.Task asks for one class for each example.
func (o Options) classes() bool {
	return o.Task == "classification" || o.Task == "binary" || o.Task == "multiclass"
}

// positions reports whether o.Task asks for a class for each position.
func (o Options) positions() bool {
	return o.Task == "dense" || o.Task == "segmentation" || o.Task == "tokens" || o.Task == "language-model"
}
