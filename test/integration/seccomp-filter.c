/* Prints the result of calls that the default profile must refuse, one "name result" per line. */
#include <stdio.h>

static long native(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

static long i386(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c)
                   : "r8", "r9", "r10", "r11", "memory");
  return result;
}

static int arguments[3];

int main(void) {
  static const long refused[] = {38, 40, (1L << 32) + 38, (1L << 32) + 40, (-1L << 32) | 38};
  for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
    long family = refused[i];
    printf("socket-%lx %ld\n", family, native(41, family, 5, 0));
    printf("socketpair-%lx %ld\n", family, native(53, family, 5, 0));
    printf("x32-socket-%lx %ld\n", family, native(0x40000000 | 41, family, 5, 0));
    printf("i386-socket-%lx %ld\n", family, i386(359, family, 5, 0));
  }
  arguments[0] = 38;
  arguments[1] = 5;
  printf("i386-socketcall %ld\n", i386(102, 1, (long)arguments, 0));
  printf("clone3 %ld\n", native(435, 0, 0, 0));
  printf("clone-newuser %ld\n", native(56, 0x10000000, 0, 0));
  printf("i386-clone-newns %ld\n", i386(120, 0x20000, 0, 0));
  printf("unshare %ld\n", native(272, 0x10000000, 0, 0));
  printf("keyctl %ld\n", native(250, 0, 0, 0));
  printf("io_uring_setup %ld\n", native(425, 1, 0, 0));
  printf("unix %d\n", native(41, 1, 1, 0) >= 0);
  printf("i386-unix %d\n", i386(359, 1, 1, 0) >= 0);
  return 0;
}
