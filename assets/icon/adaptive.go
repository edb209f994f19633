//go:build ignore

// The layers of Android's adaptive icon, drawn anew by
//
//	go run assets/icon/adaptive.go assets/icon
//
// 432 pixels are 108 dp at the highest density; the foot lies in the inner 66 dp,
// which every launcher's mask leaves standing.
package main

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"

	"golang.org/x/image/vector"
)

const (
	side  = 432
	scale = 1.2 // of the icon's own 256 pixels
	midX  = 140 // of the foot in them
	midY  = 130
)

// sole is the foot without its toes: a start and cubic curves.
var sole = [][]float32{
	{107, 47},
	{133, 47, 147, 70, 147, 95},
	{147, 122, 133, 150, 134, 178},
	{135, 200, 124, 212, 107, 212},
	{90, 212, 80, 200, 80, 180},
	{82, 165, 81, 155, 78, 145},
	{72, 128, 66, 112, 66, 95},
	{66, 70, 81, 47, 107, 47},
}

// toes are circles: middle and radius.
var toes = [][3]float32{{158, 66, 16.5}, {182, 84, 13.5}, {197, 106, 11.5}, {203, 130, 10}, {205.5, 152, 8.5}}

func main() {
	green, paper := color.NRGBA{0x0b, 0x56, 0x4c, 0xff}, color.NRGBA{0xf3, 0xf1, 0xec, 0xff}
	background := image.NewNRGBA(image.Rect(0, 0, side, side))
	draw.Draw(background, background.Rect, image.NewUniform(green), image.Point{}, draw.Src)
	for name, img := range map[string]image.Image{
		"background.png": background, "foreground.png": foot(paper), "monochrome.png": foot(color.NRGBA{0xff, 0xff, 0xff, 0xff}),
	} {
		f, err := os.Create(filepath.Join(os.Args[1], name))
		if err == nil {
			err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, img)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			panic(err)
		}
	}
}

func foot(ink color.Color) image.Image {
	x := func(v float32) float32 { return side/2 + (v-midX)*scale }
	y := func(v float32) float32 { return side/2 + (v-midY)*scale }
	r := vector.NewRasterizer(side, side)
	r.MoveTo(x(sole[0][0]), y(sole[0][1]))
	for _, c := range sole[1:] {
		r.CubeTo(x(c[0]), y(c[1]), x(c[2]), y(c[3]), x(c[4]), y(c[5]))
	}
	r.ClosePath()
	for _, t := range toes {
		const k = 0.5523 // of the radius: a cubic curve that is a quarter of a circle
		cx, cy, d := t[0], t[1], t[2]
		r.MoveTo(x(cx+d), y(cy))
		r.CubeTo(x(cx+d), y(cy+k*d), x(cx+k*d), y(cy+d), x(cx), y(cy+d))
		r.CubeTo(x(cx-k*d), y(cy+d), x(cx-d), y(cy+k*d), x(cx-d), y(cy))
		r.CubeTo(x(cx-d), y(cy-k*d), x(cx-k*d), y(cy-d), x(cx), y(cy-d))
		r.CubeTo(x(cx+k*d), y(cy-d), x(cx+d), y(cy-k*d), x(cx+d), y(cy))
		r.ClosePath()
	}
	out := image.NewNRGBA(image.Rect(0, 0, side, side))
	r.Draw(out, out.Rect, image.NewUniform(ink), image.Point{})
	return out
}
