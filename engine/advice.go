package engine

import "strings"

// domainAdvice is what helps where no operator of a domain can be had; "" where nothing does.
//
// Source: https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html. The block of channels that ONNX Runtime
// arranges weights of com.microsoft.nchwc in, 8 or 16, is that of the processor it ran on, and the file does not say which.
func domainAdvice(domain string) string {
	switch {
	case domain == "com.microsoft.nchwc", strings.HasPrefix(domain, "com.ms.internal"):
		return "it is arranged for one kind of processor: let ONNX Runtime save the model at level ORT_ENABLE_EXTENDED"
	case domain == "com.microsoft.dml", domain == "com.microsoft.experimental":
		return "it is of one back end of ONNX Runtime: let it save the model at level ORT_ENABLE_EXTENDED for the CPU"
	}
	return ""
}
