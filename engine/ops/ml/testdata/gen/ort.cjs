const fs=require('fs'); const ort=require(process.env.HOME+'/.cache/gtk-peers/node_modules/onnxruntime-node');
const A={float32:Float32Array,float64:Float64Array,int64:BigInt64Array,int32:Int32Array};
function num(x){return x==='nan'?NaN:x==='inf'?Infinity:x==='-inf'?-Infinity:x}
(async()=>{const list=JSON.parse(fs.readFileSync(process.argv[2]));const out=[];
for(const c of list){try{
 const s=await ort.InferenceSession.create(c.model,{intraOpNumThreads:1,interOpNumThreads:1,logSeverityLevel:4});
 const f={};for(const[k,t]of Object.entries(c.feeds)){f[k]=t.type==='string'?new ort.Tensor('string',t.data,t.dims):new ort.Tensor(t.type,A[t.type].from(t.data.map(x=>t.type==='int64'?BigInt(x):num(x))),t.dims)}
 const r=await s.run(f);const o={};for(const[k,t]of Object.entries(r)){o[k]={type:t.type,dims:t.dims,data:Array.from(t.data,x=>typeof x==='bigint'?Number(x):(typeof x==='number'&&!Number.isFinite(x))?String(x).toLowerCase().replace('infinity','inf'):x)}}
 out.push({name:c.name,out:o})}catch(e){out.push({name:c.name,error:String(e.message||e).slice(0,300)})}}
fs.writeFileSync(process.argv[3],JSON.stringify(out))})()
