package job

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/task"
)

// MetricName is how a metric is called in text.
func MetricName(n string) string {
	switch n {
	case "top5":
		return "top-5"
	case "knn":
		return "kNN accuracy"
	case "contrast", "restoration":
		return "objective"
	case "psnr", "ssim":
		return strings.ToUpper(n)
	case "iou":
		return "IoU"
	case "f1", "ece", "auroc", "mae", "rmse":
		return strings.ToUpper(n)
	case "r2":
		return "R²"
	}
	return strings.ReplaceAll(n, "_", " ")
}

// MetricText is a share in percent, any other metric as a number.
func MetricText(n string, v float64) string {
	switch n {
	case "psnr":
		return fmt.Sprintf("%.2f dB", v)
	case "contrast", "restoration", "ssim", "mae", "rmse", "r2", "perplexity", "ece", "auroc", "f1":
		return fmt.Sprintf("%.4g", v)
	}
	return units.Percent(v)
}

// metricLower reports whether a metric is better when lower.
func metricLower(n string) bool {
	m, err := task.Metrics().Lookup(n)
	return err == nil && m.Lower
}
