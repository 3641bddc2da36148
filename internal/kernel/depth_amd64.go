//go:build !noasm

package kernel

import "unsafe"

//go:generate go -C _asm run ./depth -out ../depth_amd64.s -decl ../depth_stubs_amd64.go

// The assembly knows where these fields are.
var (
	_ [192]struct{} = [unsafe.Offsetof(depthPlanes{}.at)]struct{}{}
	_ [224]struct{} = [unsafe.Sizeof(depthPlanes{})]struct{}{}
	_ [232]struct{} = [unsafe.Sizeof(depthTile{})]struct{}{}
)

var depthAVX2 = depthKernels{
	8, [2]func(*depthPlanes){depthForward1AVX2, depthForward2AVX2}, [2]func(*depthPlanes){depthDots1AVX2, depthDots2AVX2}, depthBackward2AVX2,
}

var depthAVX512 = depthKernels{
	16, [2]func(*depthPlanes){depthForward1AVX512, depthForward2AVX512}, [2]func(*depthPlanes){depthDots1AVX512, depthDots2AVX512},
	depthBackward2AVX512,
}

func init() {
	onISA(func(i ISA) {
		depth3x3, depth3x3Narrow = nil, nil
		switch i {
		case AVX512:
			depth3x3, depth3x3Narrow = &depthAVX512, &depthAVX2
		case AVX2:
			depth3x3, depth3x3Narrow = &depthAVX2, &depthAVX2
		}
	})
}
