/** What the sample prints when it boots. */
export const BOOT_LINE = 'Airlift sample appliance: it boots.';

const SECTOR_BYTES = 512;
const LOAD_ADDRESS = 0x7c00;
const PARTITION_TABLE = 446;

/**
 * Real-mode code, assembled by hand: prints the text behind it on COM1 (16550 UART: line status at 3FDh, data at 3F8h) and on the screen (INT 10h, AH=0Eh), then
 * halts. The address of the text is filled in at TEXT_ADDRESS.
 */
const CODE = [
  [0xfa], //              cli
  [0x31, 0xc0], //        xor ax, ax
  [0x8e, 0xd8], //        mov ds, ax
  [0x8e, 0xc0], //        mov es, ax
  [0x8e, 0xd0], //        mov ss, ax
  [0xbc, 0x00, 0x7c], //  mov sp, 7c00h
  [0xfc], //              cld
  [0xbe, 0x00, 0x00], //  mov si, text
  [0xac], //        next: lodsb
  [0x84, 0xc0], //        test al, al
  [0x74, 0x19], //        jz done
  [0x88, 0xc1], //        mov cl, al
  [0xba, 0xfd, 0x03], //  mov dx, 3fdh
  [0xec], //        wait: in al, dx
  [0xa8, 0x20], //        test al, 20h     ; transmitter empty
  [0x74, 0xfb], //        jz wait
  [0xba, 0xf8, 0x03], //  mov dx, 3f8h
  [0x88, 0xc8], //        mov al, cl
  [0xee], //              out dx, al
  [0xb4, 0x0e], //        mov ah, 0eh
  [0xbb, 0x07, 0x00], //  mov bx, 7
  [0xcd, 0x10], //        int 10h
  [0xeb, 0xe2], //        jmp next
  [0xf4], //        done: hlt
  [0xeb, 0xfd], //        jmp done
].flat();
const TEXT_ADDRESS = CODE.indexOf(0xbe) + 1;

/** The first sector of a disk that boots on a BIOS: the code, one partition from 1 MiB to the end, the signature. */
export function buildBootSector(virtualSizeBytes: number): Uint8Array {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.set(CODE);
  sector.writeUInt16LE(LOAD_ADDRESS + CODE.length, TEXT_ADDRESS);
  sector.write(`${BOOT_LINE}\r\n\0`, CODE.length, 'latin1');

  const first = 2048;
  // Active, type 83h (Linux); cylinders say "too large", so that everybody goes by sectors.
  sector.set([0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff], PARTITION_TABLE);
  sector.writeUInt32LE(first, PARTITION_TABLE + 8);
  sector.writeUInt32LE(virtualSizeBytes / SECTOR_BYTES - first, PARTITION_TABLE + 12);
  sector.set([0x55, 0xaa], SECTOR_BYTES - 2);
  return sector;
}
