// Opens one sealed object with the AWS Encryption SDK for JavaScript: node open.mjs OBJECT KEY_ID KEY_HEX
// Writes the encryption context as one line of JSON, then the plain content.
import { buildDecrypt, CommitmentPolicy, RawAesKeyringNode, RawAesWrappingSuiteIdentifier } from "@aws-crypto/client-node";
import { createReadStream } from "node:fs";

const [object, keyName, hex] = process.argv.slice(2);
const { decrypt } = buildDecrypt(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const unencryptedMasterKey = Uint8Array.from(Buffer.from(hex, "hex"));
const wrappingSuite = RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING;
const keyring = new RawAesKeyringNode({ keyName, keyNamespace: "sluicegate", unencryptedMasterKey, wrappingSuite });
const { plaintext, messageHeader } = await decrypt(keyring, createReadStream(object));
process.stdout.write(JSON.stringify(messageHeader.encryptionContext) + "\n");
process.stdout.write(plaintext);
