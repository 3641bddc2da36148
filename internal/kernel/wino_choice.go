package kernel

// winoForward, winoData and winoWeight report whether Winograd's transforms are the faster way for Conv, ConvDX and ConvDW of cp.
func winoForward(cp *ConvParams) bool { return winoApplies(cp) && winoWorth(cp.N, cp.Out, cp.C, cp.M) }
func winoData(cp *ConvParams) bool    { return winoApplies(cp) && winoWorth(cp.N, cp.In, cp.M, cp.C) }
func winoWeight(cp *ConvParams) bool  { return winoApplies(cp) && winoWorth(cp.N, cp.Out, cp.C, cp.M) }

// winoAlways is 0 or 1 where a test or a measurement (winoWays) wants the one way or the other, else negative.
var winoAlways = -1

// Cycles of the parts of both ways, measured on Zen 5 with AVX2 and AVX-512: of a vector of 16 or 8 channels of a tile that is transformed
// either way, of a vector of weights; what a multiplication of vectors takes beyond its half cycle; bytes of memory a cycle.
const (
	winoTileCycles    = 165
	winoWeightCycles  = 60 // half of them: weights that stay are transformed once
	winoProductFactor = 1.3
	directFactor      = 1.15
	memoryBytes       = 8
	winoCallCycles    = 40 // of a tile of a product
)

// winoWorth estimates both ways for planes of out, written for each of rows, from chans.
func winoWorth(images int, out [3]int, chans, rows int) bool {
	if winoAlways >= 0 {
		return winoAlways == 1
	}
	lanes := tiles.lanes
	pr, pc := float64(roundUp(rows, lanes)), float64(roundUp(chans, lanes))
	l, n := float64(lanes), float64(images*ceilDiv(out[1], winoSide)*ceilDiv(out[2], winoSide))
	weights := 4 * winoPoints * float64(chans) * pr
	cycles := winoPoints * n * pr / l * (float64(chans)/2*winoProductFactor + winoCallCycles/float64(tiles.mr))
	cycles += n * (pr + pc) / l * winoTileCycles
	cycles += float64(chans) * pr / l * winoWeightCycles
	if weights > winoBlockBytes {
		cycles += 2 * weights / memoryBytes
	}
	direct := 9 * float64(images*volume(out)) * float64(chans) * float64(rows) / (2 * l) * directFactor
	return cycles < 0.9*direct
}

// winoBytes is the size of weights of w bytes that are transformed, if they are.
func winoBytes(transformed bool, w int) int {
	if transformed {
		return w / 9 * winoPoints
	}
	return w
}
