//go:build drive

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop"
	"ironfeet/app/desktop/present"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
)

// The real program under Xvfb, driven from outside by xdotool: first start with an
// invitation against a real server, a visit with photo and two signatures, killed in
// the middle, synced, and the visit stands at the county. Run by make test-app, which
// installs what it needs and builds both programs.
func TestDriveTheRealProgram(t *testing.T) {
	programs := built(t)
	ctx := context.Background()
	dir := t.TempDir()
	c, err := practice.SetUp(ctx, world.Real(), dir, 24, "township")
	require.NoError(t, err)
	village := c.Sample.Villages[0].Code
	require.NoError(t, c.Close())
	county := filepath.Join(dir, "county")

	address := freeAddress(t)
	server := "http://" + address
	code := strings.TrimSpace(output(t, filepath.Join(programs, "ironfeetd"), "node", "invite", "--data", county, "--name", "平板C（虚构）",
		"--scope", village, "--person", "走访员戊（虚构）", "--person", "走访员己（虚构）", "--server", server))
	stop := serve(t, programs, county, address)

	tablet, camera := filepath.Join(dir, "tablet-c"), filepath.Join(dir, "camera")
	require.NoError(t, os.MkdirAll(camera, 0o755))
	settings := present.UsualSettings
	settings.Watch = camera
	require.NoError(t, present.WriteSettings(world.Real(), tablet, settings))
	d := &driver{t: t, program: filepath.Join(programs, "ironfeet"), data: tablet, display: display(t), file: filepath.Join(dir, "screen.json")}
	d.start()

	// First start by invitation.
	d.see("这台设备还没有加入任何县")
	d.typeInto("邀请码", code)
	d.tap("查看邀请")
	d.see("走访员戊（虚构）")
	for range 2 {
		d.typeInto("给自己定一个密码", practice.PIN)
	}
	d.tap("加入")
	d.see("谁在用这台设备")
	d.unlock("走访员戊（虚构）")
	d.see("今天的任务", "县里都已收到")

	// A household that nobody had on a list, with the small form.
	d.tap("新发现一户")
	d.typeInto("户主姓名", "Nong Xin")
	d.tap("补正回访")
	d.tap("开始入户")
	d.tap("完成")
	d.typeAt("受访人姓名", "Nong Xin")
	d.typeAt("补正了什么？", "wu ding lou yu")

	// The battery dies. The same question is there again, with what was answered.
	d.kill()
	d.start()
	d.unlock("走访员戊（虚构）")
	d.tap("继续：Nong Xin")
	d.see("wu ding lou yu", "补正了什么？")

	// A camera writes into its folder.
	require.NoError(t, os.WriteFile(filepath.Join(camera, "DSC1.jpg"), yunqi.Photo(7, 1600, 1200), 0o644))
	d.see("再拍一张")
	d.tap("汇总")
	d.see("读给家里人听", "Nong Xin")
	d.tap("读完了，去签字")
	d.draw()
	d.tap("用这个签名")
	d.see("重新签字")
	for range 2 {
		d.tap("确认")
		d.see("我参加了这次入户")
		d.write(d.find("entry", ""), practice.PIN)
		d.key("Return")
		d.gone("我参加了这次入户")
	}
	d.tap("签完，锁定记录")
	d.see("签好了", "2 名调查人员")

	// It goes to the county by itself; by hand is still a way.
	d.tap("回到今天的任务")
	d.see("本机的记录县里都已收到", "上次和县里对齐")
	d.tap("同步或拷到优盘")
	d.tap("用网络同步")
	d.see("同步完成")
	d.stop()

	// The county has it.
	stop()
	of, err := office.Open(ctx, world.Real(), county)
	require.NoError(t, err)
	defer of.Close()
	list, err := of.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Len(t, list, 1)
	signed, err := visit.FromEntity(list[0])
	require.NoError(t, err)
	require.Equal(t, "Nong Xin", signed.Answer("respondent"))
	require.Equal(t, "wu ding lou yu", signed.Answer("found"))
	require.Len(t, signed.Investigator, 2)
	require.NotEmpty(t, signed.Content.Signature.Strokes)
	require.Len(t, signed.Content.Photos, 1)
	for _, b := range signed.Content.Blobs() {
		here, err := of.Replica.HasBlob(ctx, b.Digest)
		require.NoError(t, err)
		require.True(t, here, "a photo is missing at the county")
	}
}

// built is where the programs are that a person would use.
func built(t *testing.T) string {
	t.Helper()
	programs := os.Getenv("IRONFEET_BUILD")
	if programs == "" {
		t.Skip("make test-app says where the programs are")
	}
	return programs
}

// serve runs the county's server until stop is called, or the test ends.
func serve(t *testing.T, programs, county, address string) (stop func()) {
	t.Helper()
	c := exec.Command(filepath.Join(programs, "ironfeetd"), "serve", "--data", county, "--listen", address)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _, _ = c.Process.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
	return func() {
		t.Helper()
		require.NoError(t, c.Process.Signal(syscall.SIGTERM))
		_, err := c.Process.Wait()
		require.NoError(t, err)
	}
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	require.NoError(t, err)
	return string(out)
}

// display starts a screen of 1280 × 800 that nobody sees.
func display(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{w}
	require.NoError(t, x.Start())
	t.Cleanup(func() { _ = x.Process.Kill(); _, _ = x.Process.Wait() })
	w.Close()
	buffer := make([]byte, 16)
	n, err := r.Read(buffer)
	require.NoError(t, err)
	return ":" + strings.TrimSpace(string(buffer[:n]))
}

// A driver has the program's screen before it, by its description, and a mouse and
// a keyboard by xdotool.
type driver struct {
	t                            *testing.T
	program, data, display, file string
	home                         string // the person's folder; empty: the test's own
	app                          *exec.Cmd
}

const patience = 60 * time.Second

func (d *driver) environment() []string {
	list := append(os.Environ(), "DISPLAY="+d.display, "LC_ALL=C.UTF-8", "LANG=zh_CN.UTF-8", "LIBGL_ALWAYS_SOFTWARE=1")
	if d.home != "" {
		list = append(list, "HOME="+d.home, "XDG_CONFIG_HOME="+filepath.Join(d.home, ".config"))
	}
	return list
}

func (d *driver) start() {
	d.t.Helper()
	_ = os.Remove(d.file)
	d.app = exec.Command(d.program, "--data", d.data, "--describe", d.file)
	d.app.Env, d.app.Stderr = d.environment(), os.Stderr
	require.NoError(d.t, d.app.Start())
	app := d.app
	d.t.Cleanup(func() { _ = app.Process.Kill() })
}

func (d *driver) kill() {
	d.t.Helper()
	require.NoError(d.t, d.app.Process.Kill())
	_ = d.app.Wait() // killed
}

func (d *driver) stop() {
	_ = d.app.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { _ = d.app.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = d.app.Process.Kill()
		<-ended
	}
}

func (d *driver) x(args ...string) {
	d.t.Helper()
	c := exec.Command("xdotool", args...)
	c.Env = d.environment()
	out, err := c.CombinedOutput()
	require.NoError(d.t, err, "xdotool %v: %s", args, out)
}

func (d *driver) screen() (s desktop.Description) {
	data, err := os.ReadFile(d.file)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return desktop.Description{}
	}
	return s
}

func (d *driver) words() string {
	var b strings.Builder
	for _, x := range d.screen().Things {
		b.WriteString(x.Text + "\n")
	}
	return b.String()
}

// until waits for what is on the screen.
func (d *driver) until(what string, holds func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if holds() {
			return
		}
		if time.Now().After(end) {
			require.Fail(d.t, "waited in vain", "%s; the screen (%s) says:\n%.3000s", what, d.picture(), d.words())
		}
	}
}

// picture keeps what is on the screen for whoever looks into a failure.
func (d *driver) picture() string {
	name := filepath.Join(os.TempDir(), "ironfeet-drive.png")
	c := exec.Command("import", "-window", "root", name)
	c.Env = d.environment()
	_ = c.Run() // the failure itself is what counts
	return name
}

func (d *driver) see(words ...string) {
	d.t.Helper()
	for _, w := range words {
		d.until("to see "+w, func() bool { return strings.Contains(d.words(), w) })
	}
}

func (d *driver) gone(word string) {
	d.t.Helper()
	d.until(word+" to go", func() bool { return !strings.Contains(d.words(), word) })
}

// find looks for something that can be used, and scrolls until it lies on the
// screen.
func (d *driver) find(kinds, text string) (found desktop.Thing) {
	d.t.Helper()
	turned := 0
	d.until("to find "+text, func() bool {
		s := d.screen()
		for _, x := range s.Things {
			if !strings.Contains(kinds, x.Kind) || !strings.Contains(x.Text, text) || x.Disabled {
				continue
			}
			switch {
			case x.Y > s.Height-90 && turned < 200: // below: the foot of the screen covers it
				if x.Kind == "button" && x.Y > s.Height-60 && x.Y < s.Height-10 {
					found = x
					return true
				}
				d.wheel("5", turned)
				turned++
				time.Sleep(200 * time.Millisecond)
				return false
			case x.Y < 90 && x.Kind != "button" && turned < 200:
				d.wheel("4", turned)
				turned++
				time.Sleep(200 * time.Millisecond)
				return false
			}
			found = x
			return true
		}
		return false
	})
	// What moves is not where it was a moment ago.
	time.Sleep(200 * time.Millisecond)
	for _, x := range d.screen().Things {
		if x.Kind == found.Kind && x.Text == found.Text {
			return x
		}
	}
	return found
}

// wheel turns the wheel, now at the edge and now in the middle: a field under the
// mouse keeps the wheel to itself.
func (d *driver) wheel(button string, turn int) {
	x := "1254"
	if turn%2 == 1 {
		x = "700"
	}
	d.x("mousemove", x, "450", "click", button)
}

func (d *driver) click(x desktop.Thing) {
	d.t.Helper()
	d.x("mousemove", fmt.Sprint(int(x.X)), fmt.Sprint(int(x.Y)))
	time.Sleep(50 * time.Millisecond)
	d.x("click", "1")
	time.Sleep(150 * time.Millisecond)
}

// tap taps until something comes of it, as a person does whose first tap fell into
// the moment in which the screen changed.
func (d *driver) tap(text string) { d.t.Helper(); d.tapA("button tile", text) }

func (d *driver) tapA(kinds, text string) {
	d.t.Helper()
	for range 4 {
		thing := d.find(kinds, text)
		before, _ := os.ReadFile(d.file)
		d.click(thing)
		for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if after, err := os.ReadFile(d.file); err == nil && string(after) != string(before) {
				return
			}
		}
	}
	require.Fail(d.t, "nothing comes of tapping", text)
}

// typeInto types into the entry that shows a hint.
func (d *driver) typeInto(hint, text string) {
	d.t.Helper()
	d.write(d.find("entry", hint), text)
}

// write types into what has the focus until it stands there: on a busy machine keys
// get lost.
func (d *driver) write(entry desktop.Thing, text string) {
	d.t.Helper()
	stands := func() (n int) {
		for _, x := range d.screen().Things {
			if x.Kind == "entry" && (x.Text == text || x.Text == strings.Repeat("•", len(text))) {
				n++
			}
		}
		return n
	}
	before := stands()
	for range 4 {
		d.click(entry)
		d.keys(text)
		for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if stands() > before {
				return
			}
		}
		d.key("ctrl+a")
		d.key("BackSpace")
	}
	d.picture()
	require.Fail(d.t, "cannot be typed", "%s; the screen says:\n%.3000s", text, d.words())
}

// typeAt types into the entry below a question.
func (d *driver) typeAt(question, text string) {
	d.t.Helper()
	var entry desktop.Thing
	for range 20 {
		label := d.find("text", question)
		entry = desktop.Thing{}
		screen := d.screen()
		for _, x := range screen.Things {
			if x.Kind == "entry" && x.Y > label.Y && (entry.Kind == "" || x.Y < entry.Y) {
				entry = x
			}
		}
		if entry.Y < screen.Height-100 {
			break
		}
		d.wheel("5", 0) // the foot of the screen covers it
		time.Sleep(300 * time.Millisecond)
	}
	require.Equal(d.t, "entry", entry.Kind)
	d.write(entry, text)
}

// keys types Latin letters; for a hanzi xdotool has to lend it a key of the keyboard,
// which a busy program may notice too late.
func (d *driver) keys(text string) { d.t.Helper(); d.x("type", "--delay", "25", text) }

func (d *driver) key(name string) { d.t.Helper(); d.x("key", name) }

func (d *driver) unlock(name string) {
	d.t.Helper()
	d.tap(name)
	d.see("请输入密码")
	for i, digit := range practice.PIN {
		d.keys(string(digit))
		d.see(strings.TrimSpace(strings.Repeat("●  ", i+1)))
	}
	d.key("Return")
}

// draw writes something on the pad.
func (d *driver) draw() {
	d.t.Helper()
	d.see("户主或在场家人签字")
	pad := d.find("pad", "")
	for stroke := range 3 {
		x, y := int(pad.X)-120+stroke*90, int(pad.Y)-30
		d.x("mousemove", fmt.Sprint(x), fmt.Sprint(y), "mousedown", "1")
		for i := range 8 {
			d.x("mousemove", fmt.Sprint(x+i*8), fmt.Sprint(y+i*6))
			time.Sleep(20 * time.Millisecond)
		}
		d.x("mouseup", "1")
		time.Sleep(100 * time.Millisecond)
	}
}
