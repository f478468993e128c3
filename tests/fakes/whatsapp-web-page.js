/** The modules of WhatsApp Web's page that whatsapp-web.js asks for, over a world kept in localStorage. Runs in the browser. */
(() => {
  const options = JSON.parse(document.documentElement.dataset.options);
  const stored = (name, fallback) => JSON.parse(localStorage.getItem(name) ?? JSON.stringify(fallback));
  const store = (name, value) => localStorage.setItem(name, JSON.stringify(value));
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
  const launches = stored("launches", 0) + 1;
  store("launches", launches);
  const linked = () => stored("linked", options.linked ?? false);

  const Socket = emitter({ state: linked() ? "CONNECTED" : "UNPAIRED", hasSynced: false });
  const Msg = emitter({ all: new Map() });
  const modelOf = (data) => ({
    mediaData: { mediaStage: "RESOLVED" },
    ...data,
    isEphemeral: false,
    isStatusV3: false,
    serialize: () => structuredClone(data),
  });
  Msg.get = (id) => Msg.all.get(id);
  Msg.getMessagesById = async (ids) => ({ messages: ids.flatMap((id) => Msg.all.get(id) ?? []) });
  const add = (data, isNew) => {
    const model = modelOf({ ...data, isNewMsg: isNew });
    Msg.all.set(data.id._serialized, model);
    return model;
  };
  for (const data of stored("history", [])) add(data, false);

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
  Chat.get = (id) => chatOf(id._serialized);
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
  const prepared = (opaque, { asDocument, isPtt }) => {
    const { file } = opaque;
    const type = asDocument ? "document" : isPtt ? "ptt" : file.type.split("/")[0];
    const facts = { type, mimetype: file.type, filename: file.name, size: file.size };
    return { ...facts, filehash: "hash", isGif: false, mediaBlob: opaque, toJSON: () => facts, set: () => {} };
  };
  const sent = [];
  const signs = [];
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
    WAWebUpdateUnreadChatAction: { sendSeen: async ({ chat }) => signs.push(["seen", chat.id._serialized]) },
    WAWebChatStateBridge: {
      sendChatStateComposing: async (id) => signs.push(["typing", id._serialized]),
      sendChatStatePaused: async (id) => signs.push(["paused", id._serialized]),
    },
    WAWebChatLoadMessages: { loadEarlierMsgs: async () => [] },
    WAWebFindChatAction: { findOrCreateLatestChat: async (id) => ({ chat: chatOf(id._serialized) }) },
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
      downloadManager: { downloadAndMaybeDecrypt: async () => new Uint8Array([1, 2, 3]).buffer },
    },
    WAWebMsgReply: { canReplyMsg: () => true },
    WAWebSendMsgChatAction: {
      addAndSendMsgToChat(chat, message) {
        const { id, body, type, t, lat, lng, caption, size, mimetype } = message;
        sent.push({ chat: chat.id._serialized, id: id._serialized, body, type, lat, lng, caption, size, mimetype });
        const data = {
          id: { ...id },
          body,
          type,
          t,
          from: me._serialized,
          to: chat.id._serialized,
          ack: 0,
        };
        const model = add(data, true);
        store("history", [...stored("history", []), data]);
        setTimeout(() => Msg.emit("change:ack", model, 1), 10);
        return [Promise.resolve(), Promise.resolve()];
      },
    },
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
    if (name === "change:hasSynced" && linked() && launches > (options.stuckLaunches ?? 0)) setTimeout(synced, 50);
  };

  window.stub = {
    sent,
    signs,
    launches,
    scan() {
      store("linked", true);
      Socket.state = "CONNECTED";
      Socket.emit("change:state", Socket, "CONNECTED");
      synced();
    },
    /** What a person wrote, kept in the chat's history; `heard` false: the page was told of it before anybody listened. */
    say(data, heard) {
      store("history", [...stored("history", []), data]);
      if (heard) Msg.emit("add", add(data, true));
    },
    conflict() {
      Socket.state = "CONFLICT";
      Socket.emit("change:state", Socket, "CONFLICT");
    },
  };
  window.Debug = { VERSION: options.version };
})();
