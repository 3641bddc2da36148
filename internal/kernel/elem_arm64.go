//go:build !noasm

package kernel

//go:generate go -C _asm run ./elem -neon ../elem_arm64.s -neon-stubs ../elem_stubs_arm64.go

func init() {
	onISA(func(i ISA) {
		use(genericVectors)
		if i == NEON {
			use(vectorsNEON)
		}
	})
}

var vectorsNEON = vectors{
	add:          vaddF32NEON,
	sub:          vsubF32NEON,
	mul:          vmulF32NEON,
	div:          vdivF32NEON,
	max:          vmax2F32NEON,
	min:          vmin2F32NEON,
	adds:         vaddsF32NEON,
	rsubs:        vrsubsF32NEON,
	muls:         vmulsF32NEON,
	divs:         vdivsF32NEON,
	rdivs:        vrdivsF32NEON,
	maxs:         vmaxsF32NEON,
	mins:         vminsF32NEON,
	relu:         vreluF32NEON,
	abs:          vabsF32NEON,
	neg:          vnegF32NEON,
	sqrt:         vsqrtF32NEON,
	exp:          vexpF32NEON,
	sigmoid:      vsigmoidF32NEON,
	tanh:         vtanhF32NEON,
	erf:          verfF32NEON,
	silu:         vsiluF32NEON,
	gelu:         vgeluF32NEON,
	geluTanh:     vgeluTanhF32NEON,
	hardSwish:    vhardSwishF32NEON,
	reluGrad:     vreluGradF32NEON,
	sigmoidGrad:  vsigmoidGradF32NEON,
	tanhGrad:     vtanhGradF32NEON,
	geluGrad:     vgeluGradF32NEON,
	geluTanhGrad: vgeluTanhGradF32NEON,
	leaky:        vleakyF32NEON,
	leakyGrad:    vleakyGradF32NEON,
	clip:         vclipF32NEON,
	clipGrad:     vclipGradF32NEON,
	affine:       vaffineF32NEON,
	affineRelu:   vaffineReluF32NEON,
	axpy:         vaxpyF32NEON,
	lin2:         vlin2F32NEON,
	lin2Mask:     vlin2MaskF32NEON,
	within:       vwithinF32NEON,
	lin2Within:   vlin2WithinF32NEON,
	normRow:      vnormRowF32NEON,
	normGradRow:  vnormGradRowF32NEON,
	normParam:    vnormParamF32NEON,
	momentum:     vmomentumF32NEON,
	lstm:         vlstmF32NEON,
	gru:          vgruF32NEON,
	lstmGradOut:  vlstmGradOutF32NEON,
	lstmGradIn:   vlstmGradInF32NEON,
	adam:         vadamF32NEON,
	diffGrad:     vdiffGradF32NEON,
	sum:          vsumF32NEON,
	absSum:       vabsSumF32NEON,
	dot:          vdotF32NEON,
	sumDot:       vsumDotF32NEON,
	sumDotMask:   vsumDotMaskF32NEON,
	sumDot3:      vsumDot3F32NEON,
	maxOf:        vmaxF32NEON,
	minOf:        vminF32NEON,
	expSum:       vexpSumF32NEON,
	acc:          vaccF32NEON,
	lanes:        4,
}
