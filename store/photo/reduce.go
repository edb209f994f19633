package photo

import "image"

// reduce makes a picture small enough for a box by averaging areas, plane by
// plane: every pixel of the original counts by the part of it that a pixel of the
// copy covers. A picture that fits is returned as it is.
func reduce(img *image.YCbCr, width, height int) *image.YCbCr {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if w <= width && h <= height {
		return img
	}
	if w*height > h*width {
		h = max(1, (h*width+w/2)/w)
		w = width
	} else {
		w = max(1, (w*height+h/2)/h)
		h = height
	}
	out := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	average(plane{out.Y, out.YStride, w, h}, lightOf(img))
	chroma := plane{out.Cb, out.CStride, (w + 1) / 2, (h + 1) / 2}
	cb, cr := coloursOf(img)
	average(chroma, cb)
	chroma.pix = out.Cr
	average(chroma, cr)
	return out
}

// A plane is one component of a picture.
type plane struct {
	pix                   []uint8
	stride, width, height int
}

func lightOf(img *image.YCbCr) plane {
	r := img.Rect
	return plane{img.Y[img.YOffset(r.Min.X, r.Min.Y):], img.YStride, r.Dx(), r.Dy()}
}

func coloursOf(img *image.YCbCr) (cb, cr plane) {
	r := img.Rect
	across, down := subsampling(img.SubsampleRatio)
	from := img.COffset(r.Min.X, r.Min.Y)
	width := (r.Max.X+across-1)/across - r.Min.X/across
	height := (r.Max.Y+down-1)/down - r.Min.Y/down
	return plane{img.Cb[from:], img.CStride, width, height}, plane{img.Cr[from:], img.CStride, width, height}
}

// subsampling is how many pixels share one of colour.
func subsampling(ratio image.YCbCrSubsampleRatio) (across, down int) {
	switch ratio {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// one is the weight of a whole pixel of the copy.
const one = 1 << 12

// average fills to from the areas of from.
func average(to, from plane) {
	columns := spans(to.width, from.width)
	rows := spans(to.height, from.height)
	line := make([]uint32, to.width) // one row of the original, averaged across: × one
	sum := make([]uint64, to.width)  // rows of line by their weights: × one × one
	have := -1
	for y, row := range rows {
		clear(sum)
		for k, weight := range row.weights {
			if at := row.from + k; at != have { // two rows of the copy may share one
				across(line, from.pix[at*from.stride:at*from.stride+from.width], columns)
				have = at
			}
			for x, v := range line {
				sum[x] += uint64(v) * uint64(weight)
			}
		}
		out := to.pix[y*to.stride : y*to.stride+to.width]
		for x, v := range sum {
			out[x] = uint8((v + one*one/2) / (one * one))
		}
	}
}

func across(line []uint32, row []uint8, columns []span) {
	for x := range columns {
		c := &columns[x]
		var v uint32
		for k, p := range row[c.from : c.from+len(c.weights)] {
			v += uint32(p) * c.weights[k]
		}
		line[x] = v
	}
}

// A span is the run of the original that one pixel of the copy covers; the weights
// make one.
type span struct {
	from    int
	weights []uint32
}

func spans(to, from int) []span {
	list := make([]span, to)
	for i := range list {
		// In units of 1/to of an original pixel the span is [i·from, (i+1)·from).
		begin, end := i*from, (i+1)*from
		s := span{from: begin / to}
		left := uint32(one)
		for at := s.from; at*to < end; at++ {
			covered := min(end, (at+1)*to) - max(begin, at*to)
			weight := uint32((covered*one + from/2) / from)
			if (at+1)*to >= end {
				weight = left // whatever rounding left over
			}
			weight = min(weight, left)
			left -= weight
			s.weights = append(s.weights, weight)
		}
		list[i] = s
	}
	return list
}

// turn makes a picture upright by its EXIF orientation, 1 to 8 (EXIF 2.32, tag
// 0x0112).
func turn(img *image.YCbCr, orientation int) *image.YCbCr {
	if orientation < 2 || orientation > 8 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if orientation >= 5 {
		w, h = h, w
	}
	// 4:2:0 and 4:4:4 keep their shape on their side; the others do not.
	ratio := img.SubsampleRatio
	if ratio != image.YCbCrSubsampleRatio420 && ratio != image.YCbCrSubsampleRatio444 {
		img = full(img)
		ratio = image.YCbCrSubsampleRatio444
	}
	out := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	rotate(lightOf(out), lightOf(img), orientation)
	cb, cr := coloursOf(img)
	toCb, toCr := coloursOf(out)
	rotate(toCb, cb, orientation)
	rotate(toCr, cr, orientation)
	return out
}

func rotate(to, from plane, orientation int) {
	for y := range to.height {
		for x := range to.width {
			sx, sy := x, y
			if orientation >= 5 {
				sx, sy = y, x
			}
			switch orientation {
			case 2, 3, 7, 8: // mirrored left to right in the original
				sx = from.width - 1 - sx
			}
			switch orientation {
			case 3, 4, 6, 7: // mirrored top to bottom
				sy = from.height - 1 - sy
			}
			to.pix[y*to.stride+x] = from.pix[sy*from.stride+sx]
		}
	}
}

// full gives every pixel its own colour.
func full(img *image.YCbCr) *image.YCbCr {
	r := img.Rect
	out := image.NewYCbCr(image.Rect(0, 0, r.Dx(), r.Dy()), image.YCbCrSubsampleRatio444)
	for y := range r.Dy() {
		for x := range r.Dx() {
			c, l := img.COffset(r.Min.X+x, r.Min.Y+y), img.YOffset(r.Min.X+x, r.Min.Y+y)
			i := y*out.YStride + x
			out.Y[i], out.Cb[i], out.Cr[i] = img.Y[l], img.Cb[c], img.Cr[c]
		}
	}
	return out
}
