//! iceoryx2 as a peer: publish-subscribe of byte slices, its Event service as the wake. The table of functions is transport.h's.
//! SPDX-License-Identifier: Apache-2.0
use std::ffi::{c_char, c_int, c_uint, c_void, CStr, CString};
use std::mem::MaybeUninit;
use std::path::{Path as FilePath, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, ptr, slice};

use iceoryx2::port::{listener::Listener, notifier::Notifier, publisher::Publisher, subscriber::Subscriber};
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use iceoryx2::service::port_factory::{event, publish_subscribe};
use iceoryx2_bb_elementary::package_version::PackageVersion;

type AnyError = Box<dyn std::error::Error>;
type Done<T> = Result<T, AnyError>;

/* transport.h, for Rust. */

#[repr(C)]
pub struct Setup {
	name: *const c_char,
	size: usize,
	readers: c_int,
	waiting: c_uint,
	loan: bool,
	under_way: c_int,
}

const WAIT_SLEEP: c_uint = 1;
const CAN_SPIN: c_uint = 1;
const CAN_SLEEP: c_uint = 2;
const CAN_COPY: c_uint = 4;
const CAN_LOAN: c_uint = 8;
const CAN_FANOUT: c_uint = 16;

#[repr(C)]
pub struct Transport {
	name: *const c_char,
	can: c_uint,
	largest: usize,
	how: *const c_char,
	version: extern "C" fn() -> *const c_char,
	make: unsafe extern "C" fn(*const Setup) -> *mut Peer,
	destroy: unsafe extern "C" fn(*mut Peer),
	open_writer: unsafe extern "C" fn(*mut Peer) -> c_int,
	send: unsafe extern "C" fn(*mut Peer, *const u8) -> c_int,
	loan: unsafe extern "C" fn(*mut Peer) -> *mut c_void,
	publish: unsafe extern "C" fn(*mut Peer, *mut c_void) -> c_int,
	close_writer: unsafe extern "C" fn(*mut Peer),
	open_reader: unsafe extern "C" fn(*mut Peer, c_int) -> c_int,
	receive: unsafe extern "C" fn(*mut Peer, i64) -> *const c_void,
	release: unsafe extern "C" fn(*mut Peer, *const c_void),
	close_reader: unsafe extern "C" fn(*mut Peer),
}

/* Pointers to constants: any thread may read them. */
unsafe impl Sync for Transport {}

#[repr(transparent)]
pub struct Entry(*const Transport);
unsafe impl Sync for Entry {}

unsafe extern "C" {
	fn complain(format: *const c_char, ...) -> c_int;
	fn now_ns() -> i64;
	fn spin_on(until_ns: i64) -> bool;
}

fn say(what: &str, error: AnyError) -> c_int {
	let text = CString::new(format!("{what}: {error}").replace('\0', "")).unwrap_or_default();
	unsafe {
		*libc::__errno_location() = 0; /* the text says it all; errno is somebody else's by now */
		complain(c"%s".as_ptr(), text.as_ptr())
	}
}

/* A service, its ports and the node under them; fields are dropped in this order. */

struct Writer {
	loaned: Option<SampleMutUninit<ipc::Service, [MaybeUninit<u8>], ()>>,
	publisher: Publisher<ipc::Service, [u8], ()>,
	notifier: Option<Notifier<ipc::Service>>,
	_bell: Option<event::PortFactory<ipc::Service>>,
	_frames: publish_subscribe::PortFactory<ipc::Service, [u8], ()>,
	_node: Node<ipc::Service>,
}

struct Reader {
	held: Option<Sample<ipc::Service, [u8], ()>>,
	subscriber: Subscriber<ipc::Service, [u8], ()>,
	listener: Option<Listener<ipc::Service>>,
	_bell: Option<event::PortFactory<ipc::Service>>,
	_frames: publish_subscribe::PortFactory<ipc::Service, [u8], ()>,
	_node: Node<ipc::Service>,
}

pub struct Peer {
	setup: *const Setup,
	root: PathBuf,  /* folder of the run's nodes and services */
	prefix: String, /* of the run's shared memory objects */
	writer: Option<Writer>,
	reader: Option<Reader>,
}

impl Peer {
	fn setup(&self) -> &Setup {
		unsafe { &*self.setup }
	}

	fn sleeps(&self) -> bool {
		self.setup().waiting == WAIT_SLEEP
	}

	fn node(&self) -> Done<Node<ipc::Service>> {
		set_log_level(LogLevel::Error);
		let mut config = Config::default();
		config.global.prefix = FileName::new(self.prefix.as_bytes())?;
		config.global.set_root_path(&Path::new(self.root.as_os_str().as_encoded_bytes())?);
		Ok(NodeBuilder::new().config(&config).signal_handling_mode(SignalHandlingMode::Disabled).create()?)
	}

	fn frames(&self, node: &Node<ipc::Service>) -> Done<publish_subscribe::PortFactory<ipc::Service, [u8], ()>> {
		let readers = self.setup().readers.max(1) as usize;
		Ok(node
			.service_builder(&"frames".try_into()?)
			.publish_subscribe::<[u8]>()
			.payload_alignment(Alignment::new(64).ok_or("alignment")?)
			.enable_safe_overflow(true)
			.history_size(0)
			.subscriber_max_buffer_size(self.setup().under_way.max(2) as usize)
			.subscriber_max_borrowed_samples(1)
			.max_publishers(1)
			.max_subscribers(readers)
			.max_nodes(readers + 1)
			.open_or_create()?)
	}

	fn bell(&self, node: &Node<ipc::Service>) -> Done<Option<event::PortFactory<ipc::Service>>> {
		if !self.sleeps() {
			return Ok(None);
		}
		let readers = self.setup().readers.max(1) as usize;
		let builder = node.service_builder(&"bell".try_into()?).event();
		Ok(Some(builder.max_notifiers(1).max_listeners(readers).max_nodes(readers + 1).open_or_create()?))
	}

	fn new_writer(&self) -> Done<Writer> {
		let node = self.node()?;
		let frames = self.frames(&node)?;
		let bell = self.bell(&node)?;
		let publisher = frames.publisher_builder().initial_max_slice_len(self.setup().size).max_loaned_samples(1).create()?;
		let notifier = bell.as_ref().map(|bell| bell.notifier_builder().create()).transpose()?;
		Ok(Writer { loaned: None, publisher, notifier, _bell: bell, _frames: frames, _node: node })
	}

	fn new_reader(&self) -> Done<Reader> {
		let node = self.node()?;
		let frames = self.frames(&node)?;
		let bell = self.bell(&node)?;
		/* The listener first: no frame then comes without its notification. */
		let listener = bell.as_ref().map(|bell| bell.listener_builder().create()).transpose()?;
		let subscriber = frames.subscriber_builder().create()?;
		Ok(Reader { held: None, subscriber, listener, _bell: bell, _frames: frames, _node: node })
	}
}

impl Writer {
	fn send(&self, frame: &[u8]) -> Done<()> {
		self.publisher.loan_slice_uninit(frame.len())?.write_from_slice(frame).send()?;
		self.ring()
	}

	fn loan(&mut self, size: usize) -> Done<*mut c_void> {
		let sample = self.loaned.insert(self.publisher.loan_slice_uninit(size)?);
		Ok(sample.payload_mut().as_mut_ptr().cast())
	}

	fn publish(&mut self) -> Done<()> {
		let sample = self.loaned.take().ok_or("nothing is loaned")?;
		unsafe { sample.assume_init() }.send()?;
		self.ring()
	}

	fn ring(&self) -> Done<()> {
		if let Some(notifier) = &self.notifier {
			notifier.notify()?;
		}
		Ok(())
	}
}

impl Reader {
	fn receive(&mut self, limit_ns: i64) -> Done<*const c_void> {
		let until = unsafe { now_ns() }.saturating_add(limit_ns);
		loop {
			if let Some(sample) = self.subscriber.receive()? {
				return Ok(self.held.insert(sample).payload().as_ptr().cast());
			}
			match &self.listener {
				None if !unsafe { spin_on(until) } => return Ok(ptr::null()),
				None => {}
				Some(listener) => {
					let left = until - unsafe { now_ns() };
					if left <= 0 {
						return Ok(ptr::null());
					}
					listener.timed_wait(|_| {}, Duration::from_nanos(left as u64))?;
				}
			}
		}
	}
}

/* What transport.h asks for. A peer outlives every call between make and destroy. */

extern "C" fn version() -> *const c_char {
	static VERSION: OnceLock<CString> = OnceLock::new();
	VERSION.get_or_init(|| CString::new(PackageVersion::get().to_string()).unwrap_or_default()).as_ptr()
}

unsafe extern "C" fn make(setup: *const Setup) -> *mut Peer {
	let Ok(name) = CStr::from_ptr((*setup).name).to_str() else {
		say("name", "it is no text".into());
		return ptr::null_mut();
	};
	let root = std::env::temp_dir().join(format!("{name}_iceoryx2"));
	if let Err(error) = fs::create_dir(&root) {
		say(&root.to_string_lossy(), error.into());
		return ptr::null_mut();
	}
	Box::into_raw(Box::new(Peer { setup, root, prefix: format!("{name}_"), writer: None, reader: None }))
}

/* Names of runs have no '_': no other run's objects begin with this prefix. What a process that was killed left goes too. */
unsafe extern "C" fn destroy(peer: *mut Peer) {
	let peer = Box::from_raw(peer);
	if let Err(error) = fs::remove_dir_all(&peer.root) {
		say(&peer.root.to_string_lossy(), error.into());
	}
	for entry in fs::read_dir(FilePath::new("/dev/shm")).into_iter().flatten().flatten() {
		if entry.file_name().as_encoded_bytes().starts_with(peer.prefix.as_bytes()) {
			let _ = fs::remove_file(entry.path());
		}
	}
}

unsafe extern "C" fn open_writer(peer: *mut Peer) -> c_int {
	match (*peer).new_writer() {
		Ok(writer) => {
			(*peer).writer = Some(writer);
			0
		}
		Err(error) => say("opening the publisher", error),
	}
}

unsafe fn with_writer<T>(peer: *mut Peer, what: &str, failed: T, act: impl FnOnce(&mut Writer) -> Done<T>) -> T {
	let writer = (*peer).writer.as_mut().ok_or("not open".into());
	writer.and_then(act).unwrap_or_else(|error| {
		say(what, error);
		failed
	})
}

unsafe extern "C" fn send(peer: *mut Peer, frame: *const u8) -> c_int {
	let frame = slice::from_raw_parts(frame, (*peer).setup().size);
	with_writer(peer, "sending", -1, |writer| writer.send(frame).map(|()| 0))
}

unsafe extern "C" fn loan(peer: *mut Peer) -> *mut c_void {
	let size = (*peer).setup().size;
	with_writer(peer, "loaning", ptr::null_mut(), |writer| writer.loan(size))
}

unsafe extern "C" fn publish(peer: *mut Peer, _frame: *mut c_void) -> c_int {
	with_writer(peer, "publishing", -1, |writer| writer.publish().map(|()| 0))
}

unsafe extern "C" fn close_writer(peer: *mut Peer) {
	(*peer).writer = None;
}

unsafe extern "C" fn open_reader(peer: *mut Peer, _reader: c_int) -> c_int {
	match (*peer).new_reader() {
		Ok(reader) => {
			(*peer).reader = Some(reader);
			0
		}
		Err(error) => say("opening a subscriber", error),
	}
}

unsafe extern "C" fn receive(peer: *mut Peer, limit_ns: i64) -> *const c_void {
	let reader = (*peer).reader.as_mut().ok_or("not open".into());
	reader.and_then(|reader| reader.receive(limit_ns)).unwrap_or_else(|error| {
		say("receiving", error);
		ptr::null()
	})
}

unsafe extern "C" fn release(peer: *mut Peer, _frame: *const c_void) {
	if let Some(reader) = (*peer).reader.as_mut() {
		reader.held = None;
	}
}

unsafe extern "C" fn close_reader(peer: *mut Peer) {
	(*peer).reader = None;
}

static ICEORYX2: Transport = Transport {
	name: c"iceoryx2".as_ptr(),
	can: CAN_SPIN | CAN_SLEEP | CAN_COPY | CAN_LOAN | CAN_FANOUT,
	largest: 0,
	how: c"publish-subscribe of u8 slices, overwriting the oldest; asleep: its Event service, one notify per frame".as_ptr(),
	version,
	make,
	destroy,
	open_writer,
	send,
	loan,
	publish,
	close_writer,
	open_reader,
	receive,
	release,
	close_reader,
};

#[unsafe(no_mangle)]
pub static PEERS: [Entry; 2] = [Entry(&raw const ICEORYX2), Entry(ptr::null())];
