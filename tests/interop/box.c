// A program that knows libsodium and nothing of Holdall: what the tests hold sealed values to. Keys and boxes
// are base64; a plain value goes through stdin or stdout as it is.
//   box keypair                    prints PRIVATE PUBLIC
//   box open PRIVATE BOX           opens a crypto_box_seal
//   box make SENDER_PRIVATE PUBLIC     prints nonce + crypto_box of stdin
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { kMost = 1 << 17 };

static size_t decode(const char* text, unsigned char* out) {
  size_t size = 0;
  if (sodium_base642bin(out, kMost, text, strlen(text), NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
    return 0;
  return size;
}

static void print(const unsigned char* bytes, size_t size) {
  static char text[2 * kMost];
  puts(sodium_bin2base64(text, sizeof text, bytes, size, sodium_base64_VARIANT_ORIGINAL));
}

int main(int argc, char** argv) {
  static unsigned char in[kMost], out[kMost];
  unsigned char key[crypto_box_SECRETKEYBYTES], public_key[crypto_box_PUBLICKEYBYTES];
  if (sodium_init() < 0) return 1;
  if (argc == 2 && strcmp(argv[1], "keypair") == 0) {
    crypto_box_keypair(public_key, key);
    print(key, sizeof key);
    print(public_key, sizeof public_key);
    return 0;
  }
  if (argc != 4) return 2;
  if (decode(argv[2], in) != sizeof key) return 3;
  memcpy(key, in, sizeof key);
  size_t size = decode(argv[3], in);
  if (strcmp(argv[1], "open") == 0) {
    crypto_scalarmult_base(public_key, key);
    if (crypto_box_seal_open(out, in, size, public_key, key) != 0) return 4;
    fwrite(out, 1, size - crypto_box_SEALBYTES, stdout);
    return 0;
  }
  if (size != sizeof public_key) return 3;
  memcpy(public_key, in, sizeof public_key);
  size = fread(in, 1, sizeof in / 2, stdin);
  randombytes_buf(out, crypto_box_NONCEBYTES);
  if (crypto_box_easy(out + crypto_box_NONCEBYTES, in, size, out, public_key, key) != 0) return 4;
  print(out, crypto_box_NONCEBYTES + crypto_box_MACBYTES + size);
  return 0;
}
