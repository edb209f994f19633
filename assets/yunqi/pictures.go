package yunqi

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
)

// Photo is a JPEG of a painted house: every seed another one. Nothing in it was
// ever before a camera.
func Photo(seed uint64, width, height int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	sky := color.RGBA{uint8(150 + r.IntN(60)), uint8(190 + r.IntN(40)), 235, 255}
	ground := color.RGBA{uint8(90 + r.IntN(50)), uint8(120 + r.IntN(50)), uint8(60 + r.IntN(30)), 255}
	wall := color.RGBA{uint8(170 + r.IntN(60)), uint8(140 + r.IntN(60)), uint8(110 + r.IntN(50)), 255}
	roof := color.RGBA{uint8(120 + r.IntN(60)), uint8(60 + r.IntN(40)), 50, 255}
	horizon := height * 3 / 5
	ridge := r.Float64() * 6
	for y := range height {
		for x := range width {
			c := sky
			hill := float64(horizon) - float64(height)/6*(1+math.Sin(float64(x)/float64(width)*5+ridge))
			if float64(y) > hill {
				c = color.RGBA{uint8(int(ground.R) * 3 / 4), uint8(int(ground.G) * 4 / 5), ground.B, 255}
			}
			if y > horizon {
				c = ground
			}
			n := int8(r.IntN(17)) - 8 // the grain of a cheap camera
			img.SetRGBA(x, y, color.RGBA{shade(c.R, n), shade(c.G, n), shade(c.B, n), 255})
		}
	}
	fill := func(x0, y0, x1, y1 int, c color.Color) {
		draw.Draw(img, image.Rect(x0, y0, x1, y1), image.NewUniform(c), image.Point{}, draw.Src)
	}
	left, right := width/5+r.IntN(width/10), width*4/5-r.IntN(width/10)
	top, bottom := horizon-height/6, horizon+height/6
	fill(left, top, right, bottom, wall)
	for i := range height / 7 { // the roof
		inset := i * 3 / 2
		fill(left-width/20+inset, top-i, right+width/20-inset, top-i+1, roof)
	}
	door := left + (right-left)/2
	fill(door-width/30, bottom-height/6, door+width/30, bottom, color.RGBA{90, 60, 40, 255})
	for _, x := range []int{left + (right-left)/5, right - (right-left)/5} {
		fill(x-width/28, top+height/16, x+width/28, top+height/6, color.RGBA{60, 75, 90, 255})
	}
	// The number plate beside the door.
	fill(door+width/22, bottom-height/7, door+width/14, bottom-height/8, color.RGBA{30, 70, 160, 255})
	var b bytes.Buffer
	must(jpeg.Encode(&b, img, &jpeg.Options{Quality: 78}))
	return b.Bytes()
}

func shade(v uint8, n int8) uint8 { return uint8(max(0, min(255, int(v)+int(n)))) }

// Signature is a PNG of a drawn name: a few strokes on a transparent ground.
func Signature(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 11))
	img := image.NewNRGBA(image.Rect(0, 0, 600, 240))
	ink := color.NRGBA{20, 20, 60, 255}
	dot := func(x, y float64) {
		for dy := -2; dy <= 2; dy++ {
			for dx := -2; dx <= 2; dx++ {
				img.SetNRGBA(int(x)+dx, int(y)+dy, ink)
			}
		}
	}
	for stroke := range 7 + r.IntN(4) {
		x, y := 60+float64(stroke)*48+r.Float64()*30, 60+r.Float64()*110
		angle, bend := r.Float64()*6, r.Float64()*0.05-0.025
		for range 60 + r.IntN(60) {
			dot(x, y)
			x, y = x+math.Cos(angle)*1.4, y+math.Sin(angle)*1.2
			angle += bend
		}
	}
	var b bytes.Buffer
	must(png.Encode(&b, img))
	return b.Bytes()
}
