package graph

// Role is what an operator is to those who look for a layer, a head or a way back to the input. It spares them lists of operators.
type Role uint8

// The roles of operators. Most operators have none.
const (
	NoRole        Role = iota
	Activation         // a function of each number alone, without weights: Relu, Clip, Tanh
	Probability        // turns scores into probabilities: Softmax, LogSoftmax, Sigmoid
	View               // the same numbers in another shape, order or type, in inference: Reshape, Transpose, Cast, Dropout
	Move               // takes, joins, repeats or pads numbers as they are: Slice, Concat, Gather, Pad
	Pool               // combines or repeats neighbouring positions, each channel alone: MaxPool, GlobalAveragePool, Resize
	Reduction          // one number out of those along axes: ReduceMean
	Normalisation      // BatchNormalization, LayerNormalization
	Linear             // products with weights, where layers have theirs: Conv, Gemm, MatMul
	Recurrent          // LSTM, GRU, RNN
	Arithmetic         // Add, Sub, Mul, Div, where biases and scales stand that are nodes of their own
	Control            // runs bodies: If, Loop, Scan
)
