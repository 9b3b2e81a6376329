/**
 * System calls of the kernel's tables (x86_64, i386, x32, arm64, arm), by what they are for. Whatever is not named here
 * is denied; a name that an architecture does not have is skipped by the runtime.
 */

const files = `
  access faccessat faccessat2 chdir fchdir chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat
  lchown lchown32 close close_range copy_file_range creat dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl fcntl64
  fdatasync flock fstat fstat64 fstatat64 newfstatat fstatfs fstatfs64 stat stat64 statfs statfs64 statx lstat lstat64
  fsync ftruncate ftruncate64 truncate truncate64 getcwd getdents getdents64 ioctl link linkat lseek _llseek mkdir
  mkdirat mknod mknodat name_to_handle_at open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev
  pwritev2 read readv readahead readlink readlinkat rename renameat renameat2 rmdir sendfile sendfile64 splice tee
  vmsplice symlink symlinkat sync syncfs sync_file_range umask unlink unlinkat utime utimes utimensat
  utimensat_time64 futimesat write writev cachestat memfd_create`

const attributes = `
  getxattr getxattrat lgetxattr fgetxattr listxattr listxattrat llistxattr flistxattr setxattr setxattrat lsetxattr
  fsetxattr removexattr removexattrat lremovexattr fremovexattr`

const waiting = `
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd
  eventfd2 poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 signalfd signalfd4 timerfd_create
  timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 inotify_init inotify_init1 inotify_add_watch
  inotify_rm_watch fanotify_mark io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents
  io_pgetevents_time64`

const memory = `
  brk madvise map_shadow_stack membarrier memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal
  msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages`

const processes = `
  capget capset execve execveat exit exit_group fork vfork futex futex_requeue futex_time64 futex_wait futex_waitv
  futex_wake get_robust_list set_robust_list get_thread_area set_thread_area set_tid_address getcpu getpgid getpgrp
  setpgid getpid getppid getpriority setpriority getsid setsid gettid getrlimit ugetrlimit setrlimit prlimit64
  getrusage ioprio_get ioprio_set landlock_add_rule landlock_create_ruleset landlock_restrict_self pidfd_open
  pidfd_send_signal prctl ptrace process_vm_readv process_vm_writev restart_syscall rseq sched_getaffinity
  sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam sched_getscheduler sched_setscheduler
  sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64 sched_yield seccomp
  sysinfo times uname uretprobe wait4 waitid waitpid getrandom`

const identity = `
  getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
  getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32
  setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32`

const signals = `
  alarm kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaction sigaltstack signal sigpending sigprocmask sigreturn sigsuspend
  tgkill tkill`

/** Setting the clock needs CAP_SYS_TIME in any case; the calls below also read it. */
const time = `
  adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
  clock_nanosleep clock_nanosleep_time64 getitimer setitimer gettimeofday nanosleep time timer_create timer_delete
  timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64`

/** socket, socketpair and socketcall have rules of their own. */
const sockets = `
  accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg
  send sendmmsg sendmsg sendto setsockopt shutdown`

const systemV = `
  ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
  mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink`

/** For every container. */
export const commonSyscalls: readonly string[] = [
  files,
  attributes,
  waiting,
  memory,
  processes,
  identity,
  signals,
  time,
  sockets,
  systemV,
].flatMap(names)

/** By OCI architecture of the machine. */
export const architectureSyscalls: Readonly<Record<string, readonly string[]>> = {
  amd64: names('arch_prctl modify_ldt'),
  arm64: names('arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls'),
}

/** What a capability in the bounding set opens in addition. */
export const capabilitySyscalls: Readonly<Record<string, readonly string[]>> = {
  CAP_DAC_READ_SEARCH: names('open_by_handle_at'),
  CAP_SYS_ADMIN: names(`
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie mount mount_setattr move_mount
    open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns statmount syslog umount umount2
    unshare`),
  CAP_SYS_BOOT: names('reboot'),
  CAP_SYS_CHROOT: names('chroot'),
  CAP_SYS_MODULE: names('delete_module finit_module init_module'),
  CAP_SYS_PACCT: names('acct'),
  CAP_SYS_PTRACE: names('kcmp pidfd_getfd process_madvise'),
  CAP_SYS_RAWIO: names('ioperm iopl'),
  CAP_SYS_TIME: names('clock_settime clock_settime64 settimeofday stime'),
  CAP_SYS_TTY_CONFIG: names('vhangup'),
  CAP_SYS_NICE: names('get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
  CAP_SYSLOG: names('syslog'),
  CAP_BPF: names('bpf'),
  CAP_PERFMON: names('perf_event_open'),
}

function names(text: string): string[] {
  return text.trim().split(/\s+/)
}
