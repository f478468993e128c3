/** The modules of WhatsApp Web's page that whatsapp-web.js asks for, over a world that its server keeps. Runs in the browser. */
(() => {
  const options = JSON.parse(document.documentElement.dataset.options);
  const socket = new WebSocket(`wss://${location.host}/socket?launch=${options.launch}`);
  const opened = new Promise((resolve) => socket.addEventListener("open", resolve));
  const told = new Map();
  /** Resolves when the server has it. */
  const tell = async (what) => {
    await opened;
    const n = told.size + 1;
    const done = new Promise((resolve) => told.set(n, resolve));
    socket.send(JSON.stringify({ n, ...what }));
    return done;
  };
  const emitter = (own = {}) => {
    const listeners = [];
    return Object.assign(own, {
      on(names, listener) {
        for (const name of names.split(" ")) listeners.push({ name, listener });
      },
      once(name, listener) {
        listeners.push({ name, listener });
      },
      off(name, listener) {
        const at = listeners.findIndex((one) => one.name === name && one.listener === listener);
        if (at >= 0) listeners.splice(at, 1);
      },
      emit(name, ...args) {
        for (const one of listeners.slice()) if (one.name === name) one.listener(...args);
      },
    });
  };
  const wid = (text) => ({
    _serialized: text,
    isLid: () => text.endsWith("@lid"),
    isGroup: () => text.endsWith("@g.us"),
    isStatus: () => text === "status@broadcast",
    toJid: () => text,
  });
  const me = wid(options.me);
  let { linked } = options;
  let refusal;

  const Socket = emitter({ state: linked ? "CONNECTED" : "UNPAIRED", hasSynced: false });
  const Msg = emitter({ all: new Map() });
  const modelOf = (data) => ({
    mediaData: { mediaStage: "RESOLVED" },
    ...data,
    isEphemeral: false,
    isStatusV3: false,
    serialize: () => structuredClone(data),
    unsafe: () => data,
    msgContextInfo: () => ({ quotedStanzaID: data.id.id }),
  });
  Msg.get = (id) => Msg.all.get(id);
  Msg.getMessagesById = async (ids) => ({ messages: ids.flatMap((id) => Msg.all.get(id) ?? []) });
  const add = (data, isNew) => {
    const model = modelOf({ ...data, isNewMsg: isNew });
    Msg.all.set(data.id._serialized, model);
    return model;
  };
  for (const data of options.history) add(data, false);

  const chatOf = (id) => {
    const models = () => [...Msg.all.values()].filter((model) => model.id.remote === id);
    const t = () => Math.max(0, ...models().map((model) => model.t));
    const data = () => ({
      id: { _serialized: id, server: id.split("@")[1], user: id.split("@")[0] },
      t: t(),
      unreadCount: 0,
    });
    return {
      id: wid(id),
      mute: { expiration: 0 },
      formattedTitle: id,
      serialize: data,
      msgs: { getModelsArray: models },
    };
  };
  const Chat = emitter();
  Chat.get = (id) => {
    if (refusal !== "no such chat") return chatOf(id._serialized);
    refusal = undefined;
    return undefined;
  };
  Chat.getModelsArray = () => [...new Set([...Msg.all.values()].map((model) => model.id.remote))].map(chatOf);

  class MsgKey {
    static count = 0;
    static async newId() {
      return `3EB0${Date.now()}${(MsgKey.count += 1)}`;
    }
    constructor({ to, id }) {
      Object.assign(this, { fromMe: true, remote: to._serialized, id, _serialized: `true_${to._serialized}_${id}` });
    }
  }
  /** Bytes as they go up to WhatsApp's servers. */
  class OpaqueData {
    static async createFromData(file) {
      return Object.assign(new OpaqueData(), { file, size: file.size });
    }
    url() {
      return "blob:page";
    }
    autorelease() {}
  }
  /** The file that the next message carries. */
  let uploaded;
  const base64 = async (file) => {
    const bytes = new Uint8Array(await file.arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  };
  const prepared = (opaque, { asDocument, isPtt }) => {
    const { file } = opaque;
    const type = asDocument ? "document" : isPtt ? "ptt" : file.type.split("/")[0];
    const facts = { type, mimetype: file.type, filename: file.name, size: file.size };
    uploaded = file;
    return { ...facts, filehash: "hash", isGif: false, mediaBlob: opaque, toJSON: () => facts, set: () => {} };
  };
  const OPEN = { findLinks: () => [], findLink: () => undefined };
  const modules = {
    WAWebSocketModel: { Socket },
    WAWebCmd: { Cmd: emitter({ refreshQR() {} }) },
    WAWebConnModel: {
      Conn: emitter({
        ref: `2@${options.code ?? "code"}`,
        platform: "android",
        serialize: () => ({ pushname: "Ascent" }),
      }),
    },
    WAWebOfflineHandler: { OfflineMessageHandler: { getOfflineDeliveryProgress: () => 100 } },
    WAWebAltDeviceLinkingApi: {},
    WABase64: { encodeB64: () => "a2V5" },
    WAWebCompanionRegClientUtils: { DEVICE_PLATFORM: "1" },
    WAWebAdvSignatureApi: {},
    WAWebUserPrefsInfoStore: { waNoiseInfo: { get: async () => ({ staticKeyPair: { pubKey: 1 } }) } },
    WAWebSignalStoreApi: { waSignalStore: { getRegistrationInfo: async () => ({ identityKeyPair: { pubKey: 1 } }) } },
    WAWebUserPrefsMultiDevice: { getADVSecretKey: () => "c2VjcmV0" },
    WAWebUserPrefsMeUser: { getMaybeMePnUser: () => me, getMaybeMeLidUser: () => undefined },
    WAWebCollections: { Msg, Chat },
    WAWebSyncGatingUtils: {},
    WAWebCallCollection: {},
    WALinkify: OPEN,
    WAWebWidFactory: { createWid: wid, asUserWidOrThrow: (id) => id },
    WAWebChatGetters: { getIsNewsletter: () => false, getIsBroadcast: () => false },
    WAWebMsgKey: MsgKey,
    WAWebGetEphemeralFieldsMsgActionsUtils: { getEphemeralFields: () => ({}) },
    WAWebStreamModel: { Stream: { markAvailable() {}, markUnavailable() {} } },
    WAWebUpdateUnreadChatAction: { sendSeen: ({ chat }) => tell({ sign: ["seen", chat.id._serialized] }) },
    WAWebChatStateBridge: {
      sendChatStateComposing: (id) => tell({ sign: ["typing", id._serialized] }),
      sendChatStatePaused: (id) => tell({ sign: ["paused", id._serialized] }),
    },
    WAWebChatLoadMessages: { loadEarlierMsgs: async () => [] },
    WAWebFindChatAction: { findOrCreateLatestChat: async () => ({ chat: undefined }) },
    WAWebMediaOpaqueData: OpaqueData,
    WAWebPrepRawMedia: { prepRawMedia: (opaque, params) => ({ waitForPrep: async () => prepared(opaque, params) }) },
    WAWebMediaStorage: {
      getOrCreateMediaObject: (filehash) => ({
        filehash,
        consolidate() {},
        contentInfo: { waveform: new Uint8Array(1) },
      }),
    },
    WAWebMmsMediaTypes: { msgToMediaType: ({ type }) => type, castToV4: (type) => type },
    WAWebMediaDataUtils: { shouldUseMediaCache: () => false },
    WAWebMediaMmsV4Upload: { uploadMedia: async () => ({ mediaEntry: { directPath: "/up" } }) },
    WAWebDownloadManager: {
      downloadManager: {
        downloadAndMaybeDecrypt: async ({ directPath }) => (await fetch(directPath)).arrayBuffer(),
      },
    },
    WAWebMsgReply: { canReplyMsg: () => true },
    WAWebSendMsgChatAction: {
      addAndSendMsgToChat(chat, message) {
        if (refusal !== undefined) {
          const how = refusal;
          refusal = undefined;
          throw new Error(how);
        }
        const { id, body, type, t, lat, lng, caption, size, mimetype, quotedStanzaID } = message;
        const facts = { chat: chat.id._serialized, id: id._serialized, body, type, lat, lng, caption, size, mimetype };
        const data = { id: { ...id }, body, type, t, from: me._serialized, to: chat.id._serialized, ack: 0 };
        const model = add(data, true);
        const file = uploaded;
        uploaded = undefined;
        const arrived = (async () => {
          const content = file === undefined ? undefined : await base64(file);
          await tell({ sent: { ...facts, quotedStanzaID, content }, data });
          setTimeout(() => Msg.emit("change:ack", model, 1), 10);
        })();
        return [Promise.resolve(), arrived];
      },
    },
    WAWebUploadManager: {
      async encryptAndUpload({ blob }) {
        uploaded = blob;
        return { url: "/up", encFilehash: "hash", mimetype: blob.type };
      },
    },
    WAWebStartMediaUploadQpl: { startMediaUploadQpl: () => ({}) },
  };
  window.require = (name) => modules[name];

  const synced = () => {
    Socket.hasSynced = true;
    Socket.emit("change:hasSynced");
  };
  const on = Socket.on;
  Socket.on = (name, listener) => {
    on(name, listener);
    // As the page does once it has caught up; in some lives it never does.
    if (name === "change:hasSynced" && linked && !options.stuck) setTimeout(synced, 50);
  };

  const commands = {
    scan() {
      linked = true;
      Socket.state = "CONNECTED";
      Socket.emit("change:state", Socket, "CONNECTED");
      synced();
    },
    say: (data) => Msg.emit("add", add(data, true)),
    edit(id, body, at) {
      const model = add({ ...Msg.get(id).serialize(), body, latestEditSenderTimestampMs: at }, false);
      Msg.emit("change:body", model, body, "");
    },
    ack: (id, level) => Msg.emit("change:ack", Msg.get(id), level),
    conflict() {
      setTimeout(() => {
        Socket.state = "CONFLICT";
        Socket.emit("change:state", Socket, "CONFLICT");
      }, 20);
    },
    refuse: (how) => void (refusal = how),
  };
  socket.addEventListener("message", ({ data }) => {
    const { reply, n, name, args } = JSON.parse(data);
    if (reply !== undefined) return told.get(reply)();
    commands[name](...args);
    socket.send(JSON.stringify({ reply: n }));
  });
  window.Debug = { VERSION: options.version };
})();
